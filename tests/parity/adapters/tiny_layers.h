#pragma once

#include "core/base/error.h"
#include "core/diffusion/adapters/adapter_set.h"
#include "tests/support/tensor_file.h"
#include "tests/support/tensor_writer.h"

#include <ATen/ops/equal.h>

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <unistd.h>
#include <utility>
#include <vector>

/// The four tiny layers of tests/parity/make_adapters.py, and its adapters for them.
namespace sg::test {

using Tensors = std::map<std::string, torch::Tensor>;

inline std::string parityData()
{
    return SG_PARITY_DATA;
}

class Folder {
public:
    Folder() : m_path(std::filesystem::temp_directory_path() / ("sg_adapters_" + std::to_string(::getpid())))
    {
        std::filesystem::create_directories(m_path);
    }
    ~Folder() { std::filesystem::remove_all(m_path); }
    std::string file(const std::string &name) const { return m_path / name; }

private:
    std::filesystem::path m_path;
};

/// The script's four layers.
class LayersImpl final : public torch::nn::Module {
public:
    LayersImpl()
    {
        register_module("linear", nn::Linear(6, 4));
        register_module("conv", nn::Conv2d(nn::Conv2dImpl::Shape{4, 6}));
        register_module("pointwise", nn::Conv2d(nn::Conv2dImpl::Shape{6, 8, 1, 1, 0}));
        register_module("norm", nn::LayerNorm(6));
    }
};

inline const TensorFile &kinds()
{
    static const TensorFile file(parityData() + "/adapters/kinds.safetensors");
    return file;
}

template <class Visit>
void eachWeight(torch::nn::Module &module, const Visit &visit)
{
    for (const auto &entry : module.named_modules())
        if (auto *leaf = dynamic_cast<nn::Leaf *>(entry.value().get()))
            leaf->edit([&](const std::vector<nn::Leaf::Declared> &declared) {
                for (const auto &one : declared)
                    visit(entry.key() + "." + one.name, one.parameter);
            });
}

inline std::shared_ptr<LayersImpl> freshLayers()
{
    auto layers = std::make_shared<LayersImpl>();
    eachWeight(*layers, [](const std::string &name, torch::Tensor parameter) {
        parameter.set_data(kinds().at("base/" + name).clone());
    });
    return layers;
}

inline Tensors weightsOf(torch::nn::Module &module)
{
    Tensors weights;
    eachWeight(module, [&](const std::string &name, const torch::Tensor &parameter) {
        weights[name] = parameter.detach().clone();
    });
    return weights;
}

inline bool sameBits(const Tensors &a, const Tensors &b)
{
    if (a.size() != b.size()) return false;
    for (const auto &[name, tensor] : a)
        if (!at::equal(tensor.contiguous().view(torch::kInt32), b.at(name).contiguous().view(torch::kInt32)))
            return false;
    return true;
}

// Everything of the data file under `prefix`, with the rest of its names.
inline Tensors under(const std::string &prefix)
{
    Tensors found;
    for (const auto &[name, tensor] : kinds().all())
        if (name.starts_with(prefix)) found[name.substr(prefix.size())] = tensor;
    return found;
}

// The kind's two networks as files.
inline std::vector<adapters::WantedAdapter> writeKind(const Folder &folder, const std::string &kind)
{
    std::vector<adapters::WantedAdapter> wanted;
    for (const auto &[name, multiplier] : {std::pair("a", .7), std::pair("b", -.5)}) {
        const std::string path = folder.file(kind + "_" + name + ".safetensors");
        writeTensors(path, under(kind + "/" + name + "/"));
        wanted.push_back({kind + name, path, 99, multiplier, {}});
    }
    return wanted;
}

/// What the set says to these.
inline std::string refusal(adapters::AdapterSet &set, const std::vector<adapters::WantedAdapter> &wanted)
{
    try {
        set.apply(wanted);
    } catch (const Failure &failure) {
        return failure.error.message;
    }
    return {};
}

}  // namespace sg::test
