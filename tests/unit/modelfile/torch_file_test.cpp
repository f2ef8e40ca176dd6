#include "core/modelfile/byte_source.h"
#include "core/modelfile/model_file.h"
#include "core/modelfile/model_kind.h"
#include "tests/support/check.h"

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

// What torch itself wrote (make_torch_files.py), compared byte by byte with the same tensors as safetensors.

namespace {

using namespace sg;
const std::string kFiles = std::string(SG_SOURCE_DIR) + "/tests/unit/modelfile/files/";

TensorIndex read(const std::string &path)
{
    Expected<TensorIndex> index = readModelFile(path);
    if (!index) throw std::runtime_error(path + ": " + index.error().message);
    return *index;
}

// The elements in row-major order, whatever the strides.
std::string elementsOf(const TensorInfo &info, const std::string &path)
{
    const FileSource file = std::move(*FileSource::open(path));
    const std::string span = file.text(info.offset, info.span()).value();
    if (info.strides.empty()) return span;
    const auto width = static_cast<std::size_t>(dtypeBits(info.dtype) / 8);
    std::string out;
    const std::function<void(std::size_t, std::size_t)> walk = [&](std::size_t axis, std::size_t at) {
        if (axis == info.shape.size()) {
            out += span.substr(at * width, width);
            return;
        }
        for (std::int64_t i = 0; i < info.shape[axis]; ++i)
            walk(axis + 1, at + static_cast<std::size_t>(i * info.strides[axis]));
    };
    walk(0, 0);
    return out;
}

void compare(const std::string &name)
{
    const std::string given = kFiles + name + ".pt", same = kFiles + name + ".safetensors";
    const TensorIndex index = read(given), wanted = read(same);
    CHECK(index.tensors().size() == wanted.tensors().size());
    CHECK(index.path() == given && index.files().size() == 1 && index.files().front().path == given);
    for (const auto &[key, info] : wanted.tensors()) {
        const TensorInfo *found = index.find(key);
        if (!found) sg::test::failed(__FILE__, __LINE__, (name + " lacks " + key).c_str());
        CHECK(found->dtype == info.dtype && found->shape == info.shape && found->bytes == info.bytes);
        CHECK(elementsOf(*found, given) == elementsOf(info, same));
    }
}

SG_CASE(everyProtocol)
{
    for (const char *name : {"zip_2", "zip_3", "zip_4", "zip_5", "legacy", "float8"})
        compare(name);
}

SG_CASE(stridesAndTiedWeights)
{
    for (const char *name : {"zip_2.pt", "legacy.pt"}) {
        const TensorIndex index = read(kFiles + name);
        const TensorInfo &whole = *index.find("whole");
        CHECK(index.find("tied")->offset == whole.offset && whole.isPlain());
        CHECK((index.find("transposed")->strides == std::vector<std::int64_t>{1, 4}));
        CHECK(index.find("rows")->isPlain() && index.find("rows")->offset == whole.offset + 32);
        CHECK((index.find("columns")->strides == std::vector<std::int64_t>{4, 1}));
        CHECK(index.find("columns")->span() == (5 * 4 + 2) * 4);
        CHECK(whole.rows(2, 5) == *index.find("rows"));
        CHECK(whole.transposed() == *index.find("transposed"));
        CHECK(index.find("none")->span() == 0 && index.find("scalar")->span() == 4);
        CHECK(index.meta("global_step") == "840000" && index.meta("epoch") == "3");
    }
}

SG_CASE(kindsAreTold)
{
    const auto kind = [](const std::string &name) { return describeModel(read(kFiles + name)); };
    compare("embedding");
    CHECK(kind("embedding.pt").kind == ModelKind::Embedding && kind("embedding.pt").family == BaseFamily::Sd1);
    CHECK(read(kFiles + "embedding.pt").meta("name") == "my-cat");
    CHECK(read(kFiles + "embedding.pt").meta("string_to_token.*") == "265");
    compare("upscaler");
    compare("hypernetwork");
    CHECK(kind("hypernetwork.pt").kind == ModelKind::Hypernetwork);
}

SG_CASE(theExtensionPlaysNoPart)
{
    namespace fs = std::filesystem;
    std::string folder = (fs::temp_directory_path() / "sg-torch-XXXXXX").string();
    CHECK(::mkdtemp(folder.data()) != nullptr);
    for (const auto &[from, to] : {std::pair("zip_2.pt", "a.safetensors"), std::pair("zip_2.safetensors", "b.ckpt"),
                                   std::pair("legacy.pt", "c.bin")}) {
        fs::copy_file(kFiles + from, fs::path(folder) / to);
        CHECK(read(fs::path(folder) / to).tensors().size() == 17);
    }
    CHECK(readModelFile(fs::path(folder) / "none").error().code == ErrorCode::NotFound);
    CHECK(readModelFile("/dev/null").error().code == ErrorCode::UnusableFile);
    fs::remove_all(folder);
}

}  // namespace

int main(int count, char **names)
{
    return sg::test::runCases(count, names);
}
