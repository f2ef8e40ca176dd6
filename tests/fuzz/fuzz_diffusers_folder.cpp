#include "core/modelfile/diffusers_folder.h"
#include "core/modelfile/key_dialect.h"
#include "core/modelfile/model_kind.h"
#include "tests/fuzz/require.h"

#include <array>
#include <filesystem>
#include <fstream>
#include <string>

namespace {

namespace fs = std::filesystem;

// A folder with one part in one shard, in a place of its own that goes with the process.
struct Folder {
    fs::path path;
    Folder()
    {
        std::string made = (fs::temp_directory_path() / "sg-fuzz-folder-XXXXXX").string();
        if (!::mkdtemp(made.data())) std::abort();
        path = made;
        fs::create_directories(path / "unet");
        fs::create_directories(path / "scheduler");
        reset();
    }
    ~Folder() { fs::remove_all(path); }
    void reset() const
    {
        write("model_index.json", "{\"_class_name\":\"X\",\"unet\":[\"diffusers\",\"Y\"]}");
        write("unet/diffusion_pytorch_model.safetensors.index.json", "{\"weight_map\":{\"a\":\"s.safetensors\"}}");
        write("unet/config.json", "{}");
        write("scheduler/scheduler_config.json", "{}");
        const std::string header = "{\"a\":{\"dtype\":\"F16\",\"shape\":[2],\"data_offsets\":[0,4]}}";
        write("unet/s.safetensors",
              std::string(1, static_cast<char>(header.size())) + std::string(7, '\0') + header + "1234");
    }
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
    constexpr std::array kNames{"model_index.json", "unet/diffusion_pytorch_model.safetensors.index.json",
                                "unet/config.json", "scheduler/scheduler_config.json"};
    folder.write(kNames[data[0] % kNames.size()], fuzzText(data + 1, size - 1));
    const auto index = sg::readDiffusersFolder(folder.path);
    folder.reset();
    if (!index) {
        SG_REQUIRE(index.error().code == sg::ErrorCode::UnusableFile && !index.error().message.empty());
        return 0;
    }
    SG_REQUIRE(index->files().size() == 1 && index->tensors().size() == 1 && index->contains("unet.a"));
    SG_REQUIRE(!sg::describeModel(sg::canonicalNames(*index)).reason.empty());
    return 0;
}
