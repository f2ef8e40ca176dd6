#pragma once

#include "core/base/expected.h"
#include "core/modelfile/byte_source.h"
#include "core/modelfile/tensor_index.h"

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace sg {

/// The vectors of an embedding for one text encoder, as a picture carries them.
struct CarriedVectors {
    std::string key;  ///< "string_to_param.*", "clip_l", "clip_g"
    std::int64_t count = 0, width = 0;
    std::vector<float> values;  ///< row after row
};

inline constexpr std::uint64_t kMaxEmbeddingPicture = 64u << 20;  ///< bytes of the whole file
inline constexpr std::uint64_t kMaxEmbeddingText = 16u << 20;     ///< of the text in it
inline constexpr std::int64_t kMaxCarriedWidth = 8192;
inline constexpr std::int64_t kMaxCarriedVectors = 1000;

/// Whether it is a PNG with an embedding: a text "sd-ti-embedding" before its pixels. Reads the heads of at most 64
/// chunks, no text and no pixels.
bool carriesEmbedding(const ByteSource &file);
bool carriesEmbedding(const std::filesystem::path &path);

/// Whether the path is that of a PNG in a folder `embeddings`, in any case, or below one: there an embedding may be
/// hidden in the pixels alone. Reads nothing.
bool mayHideEmbedding(const std::filesystem::path &path);

/// The embedding of a PNG: base64 of a JSON object whose tensors are {"TORCHTENSOR": [[number, …], …]} in its text, or
/// where it has no such text, that object hidden in its pixels (readHiddenEmbedding).
/// Errors  NotFound, also when it carries none; UnusableFile with the rule that is broken.
Expected<std::vector<CarriedVectors>> readEmbeddingPicture(const ByteSource &file);
Expected<std::vector<CarriedVectors>> readEmbeddingPicture(const std::filesystem::path &path);

/// Names and shapes of these vectors, as the same embedding's own file would have them; places mean nothing.
TensorIndex embeddingIndex(const std::string &path, const std::vector<CarriedVectors> &vectors);

}  // namespace sg
