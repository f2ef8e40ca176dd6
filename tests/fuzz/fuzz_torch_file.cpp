#include "core/modelfile/model_kind.h"
#include "core/modelfile/torch_file.h"
#include "core/modelfile/zip_directory.h"
#include "tests/fuzz/require.h"

/// As a zip and as an old file: entries and tensors lie inside it.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size)
{
    const std::string_view bytes = fuzzText(data, size);
    const sg::MemorySource source(bytes);
    if (const auto entries = sg::readZipDirectory(source))
        for (const sg::ZipEntry &entry : *entries)
            SG_REQUIRE(entry.offset <= size && entry.size <= size - entry.offset && !entry.name.empty() &&
                       entry.name.find("..") != 0 && entry.name.front() != '/');
    for (const auto &index : {sg::readTorchZip(source), sg::readTorchLegacy(source)}) {
        if (!index) {
            SG_REQUIRE(index.error().code == sg::ErrorCode::UnusableFile && !index.error().message.empty());
            continue;
        }
        SG_REQUIRE(!index->tensors().empty());
        for (const auto &[name, tensor] : index->tensors())
            SG_REQUIRE(tensor.offset <= size && tensor.span() <= size - tensor.offset);
        SG_REQUIRE(!sg::describeModel(*index).reason.empty());
    }
    return 0;
}
