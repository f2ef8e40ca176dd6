#include "core/modelfile/diffusers_folder.h"
#include "core/modelfile/key_dialect.h"
#include "core/modelfile/model_file.h"
#include "core/modelfile/model_kind.h"
#include "tests/support/check.h"

#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

namespace {

namespace fs = std::filesystem;
using namespace sg;
const fs::path kFolder = fs::path(SG_SOURCE_DIR) / "tests/unit/diffusion/formats/folder";
const std::string kShardIndex = "unet/diffusion_pytorch_model.safetensors.index.json";

// A copy that may be broken.
class Copy {
public:
    Copy()
    {
        std::string folder = (fs::temp_directory_path() / "sg-folder-XXXXXX").string();
        if (!::mkdtemp(folder.data())) throw std::runtime_error("no temporary folder");
        m_path = folder;
        fs::copy(kFolder, m_path, fs::copy_options::recursive);
    }
    ~Copy() { fs::remove_all(m_path); }
    const fs::path &path() const { return m_path; }
    void write(const std::string &name, const std::string &text) const
    {
        std::ofstream(m_path / name, std::ios::trunc) << text;
    }
    std::string refusal() const
    {
        const auto index = readModelFile(m_path);
        if (index) return "read";
        CHECK(index.error().code == ErrorCode::UnusableFile && index.error().subject == m_path.string());
        return index.error().message;
    }

private:
    fs::path m_path;
};

void refused(const Copy &copy, const std::string &words)
{
    const std::string said = copy.refusal();
    if (said.find(words) == std::string::npos) sg::test::failed(__FILE__, __LINE__, "wanted " + words + ": " + said);
}

SG_CASE(aFolderIsOneModel)
{
    CHECK(modelFormat(kFolder).value() == ModelFormat::Diffusers && isModelFolder(kFolder));
    const auto index = readModelFile(kFolder);
    if (!index) return sg::test::failed(__FILE__, __LINE__, index.error().message);
    CHECK(index->path() == kFolder.string() && index->files().size() == 4);
    for (const auto &[name, info] : index->tensors()) {
        const SourceFile &file = index->files().at(info.file);
        CHECK(info.offset + info.span() <= file.identity.size);
        CHECK(file.path.find("/" + name.substr(0, name.find('.')) + "/") != std::string::npos);
    }
    CHECK(index->meta("serigraph.unet.heads") == "2" && index->meta("serigraph.unet.norm_groups") == "2");
    CHECK(index->meta("serigraph.text.heads") == "4" && index->meta("modelspec.prediction_type") == "epsilon");
    CHECK(index->meta("diffusers.pipeline") == "StableDiffusionPipeline");
    const ModelDescription what = describeModel(canonicalNames(*index));
    CHECK(what.kind == ModelKind::Checkpoint && what.family == BaseFamily::Sd1);
    CHECK(fileIdentity(kFolder).value() == index->identity());
}

SG_CASE(identityFollowsItsFiles)
{
    const Copy copy;
    const FileIdentity before = fileIdentity(copy.path()).value();
    CHECK(before == fileIdentity(copy.path()).value() && before.size > 100'000);
    copy.write("unet/config.json", "{}  ");
    CHECK(!(before == fileIdentity(copy.path()).value()));
    CHECK(!fileIdentity(copy.path() / "unet"));
}

SG_CASE(brokenFolders)
{
    {
        const Copy copy;
        copy.write("model_index.json", "{\"_class_name\": \"FluxPipeline\", \"transformer\": [\"diffusers\", \"X\"]}");
        refused(copy, "is FluxPipeline, which has no unet");
        copy.write("model_index.json", "[]");
        refused(copy, "model_index.json: must be an object");
        copy.write("model_index.json", "{\"unet\": ");
        refused(copy, "model_index.json");
        copy.write("model_index.json", std::string(2 << 20, ' '));
        refused(copy, "is longer than");
    }
    {
        const Copy copy;
        fs::remove(copy.path() / "vae/diffusion_pytorch_model.bin");
        refused(copy, "vae: holds no weights");
        copy.write("vae/diffusion_pytorch_model.bin", "\x80\x02"
                                                      "cos\nsystem\n.");
        refused(copy, "vae/diffusion_pytorch_model.bin: magic number: pickle: uses the forbidden name \"os.system\"");
    }
    const Copy copy;
    copy.write("unet/config.json", "{\"norm_num_groups\": 2");
    refused(copy, "unet/config.json");
}

SG_CASE(brokenShards)
{
    const auto map = [](const std::string &name, const std::string &file) {
        return "{\"weight_map\": {\"" + name + "\": \"" + file + "\"}}";
    };
    const std::string shard = "diffusion_pytorch_model-00001-of-00002.safetensors";
    const Copy copy;
    for (const char *bad : {"../vae/diffusion_pytorch_model.bin", "/etc/passwd.bin", "..\\\\x.bin", ".x.bin", "",
                            "a.txt", "x/y.safetensors"}) {
        copy.write(kShardIndex, map("conv_in.weight", bad));
        refused(copy, "is no name of a shard");
    }
    copy.write(kShardIndex, map("conv_in.weight", "other.safetensors"));
    refused(copy, "unet/other.safetensors: is not there");
    copy.write(kShardIndex, map("no.such.tensor", shard));
    refused(copy, "lacks no.such.tensor");
    copy.write(kShardIndex, "{\"weight_map\": {}}");
    refused(copy, "weight_map is empty");
    copy.write(kShardIndex, "{\"weight_map\": {\"a\": 1}}");
    refused(copy, "must name a file");
    copy.write(kShardIndex, "{}");
    refused(copy, "weight_map must be an object");
}

}  // namespace

int main(int count, char **names)
{
    return sg::test::runCases(count, names);
}
