#pragma once

#include "core/diffusion/adapters/adapter_change.h"
#include "core/diffusion/nn/mapped_file.h"
#include "core/modelfile/adapter_keys.h"
#include "core/modelfile/adapter_settings.h"
#include "core/modelfile/tensor_index.h"

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace sg::adapters {

/// A LoRA's or an embedding's file: its tensors by layer, read when they are asked for.
class AdapterFile {
public:
    /// Errors  throws Failure NotFound, UnusableFile, ModelChanged.
    explicit AdapterFile(const std::filesystem::path &path);

    const TensorIndex &index() const { return m_index; }
    const std::vector<AdapterGroup> &groups() const { return m_groups; }
    /// Keys that belong to no part of any kind.
    const std::vector<std::string> &unknown() const { return m_unknown; }
    /// The mapped files, as index().files().
    const std::vector<std::shared_ptr<const nn::MappedFile>> &files() const { return m_files; }
    /// `alive` is called while a slow disk is waited for.
    /// With what peft says of the layer elsewhere: "scale", "on_input", and for turns "series", "longest".
    /// Dtype  float32. Errors  throws Failure UnusableFile naming the key; ModelChanged.
    Parts read(const AdapterGroup &group, const std::function<void()> &alive = {}) const;
    torch::Tensor read(const std::string &key) const;
    /// Errors  throws Failure ModelChanged.
    void requireUnchanged() const;

private:
    void addSettings(const AdapterGroup &group, Parts &parts) const;
    torch::Tensor stored(const TensorInfo &info, const std::string &key, const std::function<void()> &alive) const;

    TensorIndex m_index;
    AdapterSettings m_settings;
    std::vector<std::shared_ptr<const nn::MappedFile>> m_files;
    std::vector<std::string> m_unknown;
    std::vector<AdapterGroup> m_groups;
};

}  // namespace sg::adapters
