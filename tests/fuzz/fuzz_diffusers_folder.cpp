#include "core/modelfile/diffusers_folder.h"
#include "core/modelfile/key_dialect.h"
#include "core/modelfile/model_kind.h"
#include "tests/fuzz/require.h"

#include <array>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>

namespace {

namespace fs = std::filesystem;

// A folder with one part in one shard, in a place of its own that goes with the process.
struct Folder {
    // What the input may stand in for.
    const std::array<std::pair<const char *, const char *>, 4> whole{
        {{"model_index.json", "{\"_class_name\":\"X\",\"unet\":[\"diffusers\",\"Y\"]}"},
         {"unet/diffusion_pytorch_model.safetensors.index.json", "{\"weight_map\":{\"a\":\"s.safetensors\"}}"},
         {"unet/config.json", "{}"},
         {"scheduler/scheduler_config.json", "{}"}}};
    fs::path path;
    Folder()
    {
        // In memory where there is such a place: each input is a file that is written anew.
        const fs::path memory = "/dev/shm";
        const fs::path place = fs::is_directory(memory) ? memory : fs::temp_directory_path();
        std::string made = (place / "sg-fuzz-folder-XXXXXX").string();
        if (!::mkdtemp(made.data())) std::abort();
        path = made;
        fs::create_directories(path / "unet");
        fs::create_directories(path / "scheduler");
        for (const auto &[name, text] : whole)
            write(name, text);
        const std::string header = "{\"a\":{\"dtype\":\"F16\",\"shape\":[2],\"data_offsets\":[0,4]}}";
        write("unet/s.safetensors",
              std::string(1, static_cast<char>(header.size())) + std::string(7, '\0') + header + "1234");
    }
    ~Folder() { fs::remove_all(path); }
    void write(const std::string &name, std::string_view text) const
    {
        std::ofstream(path / name, std::ios::binary | std::ios::trunc) << text;
    }
};

}  // namespace

/// The first byte chooses which file of the folder the others are.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size)
{
    static const Folder folder;
    if (size == 0) return 0;
    const auto &[name, whole] = folder.whole[data[0] % folder.whole.size()];
    folder.write(name, fuzzText(data + 1, size - 1));
    const auto index = sg::readDiffusersFolder(folder.path);
    folder.write(name, whole);
    if (!index) {
        SG_REQUIRE(index.error().code == sg::ErrorCode::UnusableFile && !index.error().message.empty());
        return 0;
    }
    SG_REQUIRE(index->files().size() == 1 && index->tensors().size() == 1 && index->contains("unet.a"));
    SG_REQUIRE(!sg::describeModel(sg::canonicalNames(*index)).reason.empty());
    return 0;
}
