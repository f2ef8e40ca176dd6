#pragma once

#include "core/base/json.h"
#include "core/engine/backend.h"
#include "core/engine/devices.h"
#include "core/text/prompt_template.h"

#include <optional>
#include <string>
#include <string_view>

namespace sg::engine {

/// A generate request, checked.
struct GenerateMessage {
    ModelRef model;
    ParamValues values;
    GenerationRequest request;  ///< its prompts are resolved: no comments, variants or wildcards any more
    bool previews = true;
};

/// The `model` object of load and generate.
/// Errors  InvalidArgument, subject = the field.
Expected<ModelRef> parseModel(const Json &header);

/// A generate request's fields; seeds of -1 are resolved here as well, and what the pictures' seeds decide in their
/// prompts. Errors  InvalidArgument, subject = the field; those of resolvePrompt.
Expected<GenerateMessage> parseGenerate(const Json &header, WildcardSource *wildcards = nullptr);

/// The model's path of an unload request; nothing when all are meant.
Expected<std::optional<std::string>> parseUnload(const Json &header);

/// An event with its type and id, to which fields are added.
Json event(std::string_view type, std::string_view id);
Json errorEvent(std::string_view id, const Error &error);
Json helloEvent(std::string_view id, const std::vector<Device> &devices);

}  // namespace sg::engine
