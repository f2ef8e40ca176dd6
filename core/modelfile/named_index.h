#pragma once

#include "core/base/expected.h"
#include "core/modelfile/byte_source.h"
#include "core/modelfile/tensor_index.h"

#include <filesystem>
#include <utility>

namespace sg {

/// What `read` makes of the file at a path: the index knows its file, an error names it.
template <class Read>
Expected<TensorIndex> readNamed(const std::filesystem::path &path, const Read &read)
{
    const Expected<FileSource> file = FileSource::open(path);
    if (!file) return Unexpected{file.error()};
    Expected<TensorIndex> index = read(*file);
    if (!index) {
        Error error = index.error();
        error.subject = path.string();
        return Unexpected{std::move(error)};
    }
    index->setSource(path.string(), file->identity());
    return index;
}

}  // namespace sg
