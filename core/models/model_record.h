#pragma once

#include "core/modelfile/model_choices.h"

#include <cstdint>
#include <string>
#include <vector>

namespace sg {

/// One file of the model folders, as the library knows it.
struct ModelRecord {
    std::string type;     ///< stableDiffusion, sdVae, lora, controlNet, upscaler, embedding, … (docs/api.md)
    std::string name;     ///< path below its folder without extension, '/' between parts; unique within its type
    std::string path;     ///< absolute
    std::string family;   ///< "sd1", "sd2", "sdxl", … or empty
    std::string variant;  ///< of a checkpoint, within its family: "inpainting", "refiner, v prediction", … or empty
    std::string status;   ///< registering, loading, loaded, unloaded, deleted, unusable
    std::string reason;   ///< why it is unusable, or how its kind was told
    std::string sha256;   ///< hex; empty until hashed
    std::uint64_t size = 0;
    std::int64_t registeredMs = 0;  ///< milliseconds since 1970
    std::int64_t modifiedMs = 0;
    int nativeWidth = 0;  ///< from modelspec.resolution or the family; 0 = unknown
    int nativeHeight = 0;
    std::string title;        ///< modelspec.title, or empty
    std::string description;  ///< modelspec.description, or empty
    int vectors = 0;          ///< of an embedding; 0: not known
    int vectorWidth = 0;      ///< of an embedding's first part
    int scale = 0;            ///< of an upscaler; 0: not known
    std::string alias;        ///< what training called a LoRA (ss_output_name), or empty
    std::string contentHash;  ///< a LoRA's hash of its tensors as its training stored it (sshs_model_hash), or empty

    ModelChoices choices;  ///< what the user says of a checkpoint

    bool operator==(const ModelRecord &) const = default;

    /// First ten characters of the hash, as A1111 shows it; empty until hashed.
    std::string shortHash() const { return sha256.substr(0, 10); }
};

}  // namespace sg
