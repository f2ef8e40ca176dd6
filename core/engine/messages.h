#pragma once

#include "core/base/frame.h"
#include "core/base/json.h"
#include "core/engine/backend.h"
#include "core/engine/devices.h"
#include "core/text/prompt_template.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sg::engine {

/// A picture file that came with a generate request, and the row of the parameter table that it belongs to.
struct InputFile {
    std::string row;
    std::string bytes;
};
inline constexpr std::size_t kMaxInputFiles = 64;

/// A generate request, checked.
struct GenerateMessage {
    ModelRef model;
    ParamValues values;
    GenerationRequest request;        ///< its prompts are resolved: no comments, variants or wildcards any more
    std::vector<InputFile> pictures;  ///< not decoded yet
    bool previews = true;
    std::optional<Inspection> inspection = {};  ///< of an inspect request
};

/// The `model` object of load and generate.
/// Errors  InvalidArgument, subject = the field.
Expected<ModelRef> parseModel(const Json &header);

/// The parameter table with the engine's bounds, which are wide: what an installation allows was checked where the
/// task was accepted.
ParamTable withEngineBounds(const ParamTable &rows);
/// The same of the standard rows.
const ParamTable &engineTable();

/// A generate request's fields; seeds of -1 are resolved here as well, and what the pictures' seeds decide in their
/// prompts. The payload holds the pictures one after the other. Errors  InvalidArgument, subject = the field; those of
/// resolvePrompt.
Expected<GenerateMessage> parseGenerate(const Frame &frame, WildcardSource *wildcards = nullptr,
                                        const ParamTable &table = engineTable());

/// The `watch` object of an inspect request. Errors  InvalidArgument, subject = the field.
Expected<Inspection> parseWatch(const Json &header);

/// `budget` of hello and load: bytes; nothing when it is left out. Errors  InvalidArgument.
Expected<std::optional<std::uint64_t>> parseBudget(const Json &header);

/// Decodes the message's pictures into its request. Takes as long as decoding does.
/// Errors  those of decodePicture, subject = the row.
Expected<void> decodePictures(GenerateMessage &message);

/// The model's path of an unload request; nothing when all are meant.
Expected<std::optional<std::string>> parseUnload(const Json &header);

/// An event with its type and id, to which fields are added.
Json event(std::string_view type, std::string_view id);
Json errorEvent(std::string_view id, const Error &error);
Json helloEvent(std::string_view id, const std::vector<Device> &devices, std::uint64_t budget);
Json planEvent(std::string_view id, const MemoryPlan &plan);

}  // namespace sg::engine
