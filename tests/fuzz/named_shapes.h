#pragma once

#include "core/modelfile/tensor_index.h"

#include <charconv>
#include <string>
#include <string_view>
#include <utility>

/// A header for fuzz targets: a line "name 1x2x3" for each tensor, "@key value" for metadata. Sizes are bounded as
/// those of a file are.
inline sg::TensorIndex namedShapes(std::string_view text)
{
    constexpr std::int64_t kMost = std::int64_t{1} << 44;
    sg::TensorIndex::Tensors tensors;
    sg::TensorIndex::Metadata metadata;
    while (!text.empty()) {
        const std::string_view line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(text.size(), line.size() + 1));
        const std::size_t blank = line.find(' ');
        if (blank == 0 || blank == std::string_view::npos) continue;
        std::string_view rest = line.substr(blank + 1);
        if (line.front() == '@') {
            metadata[std::string(line.substr(1, blank - 1))] = rest;
            continue;
        }
        sg::TensorInfo info;
        info.dtype = sg::DType::F16;
        std::int64_t elements = 1;
        bool sound = true;
        while (sound && !rest.empty()) {
            std::int64_t size = 0;
            const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), size);
            sound = error == std::errc() && size >= 0 && size <= kMost / std::max<std::int64_t>(elements, 1);
            elements = std::max<std::int64_t>(elements, 1) * size;
            info.shape.push_back(size);
            rest.remove_prefix(static_cast<std::size_t>(end - rest.data()));
            if (rest.starts_with('x'))
                rest.remove_prefix(1);
            else
                sound = sound && rest.empty();
        }
        info.bytes = static_cast<std::uint64_t>(elements) * 2;
        if (sound && info.shape.size() <= 8) tensors[std::string(line.substr(0, blank))] = std::move(info);
    }
    return {"a file", 0, std::move(metadata), std::move(tensors)};
}
