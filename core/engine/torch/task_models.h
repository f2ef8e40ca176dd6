#pragma once

#include "core/diffusion/pipeline/text_to_image.h"
#include "core/engine/torch/companions.h"
#include "core/engine/torch/part_keeper.h"

#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

namespace sg::engine {

/// What a task uses of the store.
ModelStore::Use useOf(const ModelRef &model, const GenerationRequest &request);
/// Of all files that a task may use; of one that is not there, zeros.
std::vector<FileIdentity> identitiesOf(const ModelRef &model);
/// The request's own drawing, with the state of the files that it draws with. Empty: not known.
std::string drawingOf(const ModelRef &model, const GenerationRequest &request);

/// A checkpoint that a task uses, with what is beside it, which is not in use before its begin().
struct UsedModel {
    UsedModel(ModelStore &store, const std::string &path, const ModelRef &model, GenerationSink &sink,
              const std::stop_token &stop, PartKeeper *keeper);
    TaskModel forTask() const { return {*resident->checkpoint, resident->conditioner}; }

    std::shared_ptr<ModelStore::Resident> resident;
    Companions companions;
};

/// All of a task's checkpoints, in use. With a keeper no two of them are read side by side.
struct UsedModels {
    UsedModels(ModelStore &store, const ModelRef &model, const GenerationRequest &request, GenerationSink &sink,
               const std::stop_token &stop, PartKeeper *keeper);

    TaskModels forTask() const;
    void useLoras(const std::vector<std::string> &prompts, bool larger);
    /// What loading warned of has been told.
    void tell() const;

    UsedModel base;
    std::optional<UsedModel> hires, refiner;
};

}  // namespace sg::engine
