#include "core/diffusion/adapters/adapter_set.h"

#include "core/base/log.h"
#include "core/base/or_throw.h"
#include "core/diffusion/nn/mapped_file.h"

#include <ATen/ops/equal.h>

#include <algorithm>
#include <utility>

namespace sg::adapters {
namespace {

constexpr std::size_t kNamed = 5;
constexpr std::int64_t kSample = 1024;

// The same numbers in half the bytes where that loses nothing, as of a float16 file's weights; otherwise the tensor.
torch::Tensor compact(const torch::Tensor &weight)
{
    if (weight.scalar_type() != torch::kFloat32) return weight;
    // A few tell of most weights that nothing is to be gained.
    const torch::Tensor sample = weight.reshape({-1}).narrow(0, 0, std::min<std::int64_t>(weight.numel(), kSample));
    for (const torch::ScalarType type : {torch::kFloat16, torch::kBFloat16}) {
        if (!at::equal(sample.to(type).to(torch::kFloat32), sample)) continue;
        torch::Tensor small = weight.to(type);
        if (at::equal(small.to(torch::kFloat32), weight)) return small;
    }
    return weight;
}

std::string listed(const std::vector<std::string> &names)
{
    std::string text;
    for (std::size_t i = 0; i < std::min(names.size(), kNamed); ++i)
        text += (i ? ", " : "") + names[i];
    return names.size() > kNamed ? text + ", …" : text;
}

// Why a file may not fit: it says itself what it is for.
std::string familyHint(const TensorIndex &index, BaseFamily family)
{
    const BaseFamily made = describeModel(index).family;
    if (made == BaseFamily::Unknown || family == BaseFamily::Unknown || made == family) return {};
    return " (it is for " + std::string(familyName(made)) + ", the checkpoint is " + std::string(familyName(family)) +
           ")";
}

}  // namespace

/// One group of one file, for one layer.
struct AdapterSet::Step {
    std::shared_ptr<const AdapterFile> file;
    const AdapterGroup *group;
    const AdapterTarget *target;
    Strength strength;
    std::string what;  // for errors
};

AdapterSet::AdapterSet(const std::vector<AdaptedNetwork> &networks, BaseFamily family) : m_family(family)
{
    for (const AdaptedNetwork &network : networks) {
        std::vector<std::string> parameters;
        for (const auto &entry : network.module->named_modules()) {
            auto *leaf = dynamic_cast<nn::Leaf *>(entry.value().get());
            if (!leaf) continue;
            m_layers.push_back({leaf, network.network != AdapterNetwork::Unet, {}});
            for (std::size_t i = 0; i < leaf->declared().size(); ++i) {
                parameters.push_back(entry.key().empty() ? leaf->declared()[i].name
                                                         : entry.key() + "." + leaf->declared()[i].name);
                m_places[{network.network, parameters.back()}] = {m_layers.size() - 1, i};
            }
        }
        m_names.add(network.network, parameters);
    }
}

const AdapterSet::Place *AdapterSet::place(AdapterNetwork network, const std::string &parameter) const
{
    const auto it = m_places.find({network, parameter});
    return it == m_places.end() ? nullptr : &it->second;
}

AdapterSet::Steps AdapterSet::plan(const std::vector<WantedAdapter> &wanted, const Files &files,
                                   AdapterReport &report) const
{
    Steps steps;
    for (std::size_t i = 0; i < wanted.size(); ++i) {
        const WantedAdapter &one = wanted[i];
        const std::shared_ptr<const AdapterFile> &file = files[i];
        std::vector<std::string> unmatched = file->unknown();
        std::size_t used = 0;
        for (const AdapterGroup &group : file->groups()) {
            const AdapterTarget *target = isKnownKind(group.parts) ? m_names.find(group.layer) : nullptr;
            if (!target) {
                unmatched.push_back(group.layer);
                continue;
            }
            ++used;
            const double multiplier = target->network == AdapterNetwork::Unet ? one.unet : one.te;
            if (multiplier != 0)
                steps[place(target->network, target->weight)->layer].push_back(
                    {file, &group, target, {multiplier, one.dyn}, "LoRA " + one.name + ", " + group.layer});
        }
        if (unmatched.empty()) continue;
        report.warnings.push_back("LoRA " + one.name + ": " + std::to_string(unmatched.size()) + " of " +
                                  std::to_string(unmatched.size() + used) + " layers match nothing in the checkpoint" +
                                  familyHint(file->index(), m_family) + ": " + listed(unmatched));
    }
    return steps;
}

AdapterReport AdapterSet::apply(const std::vector<WantedAdapter> &wanted, const std::stop_token &stop,
                                const LoadWatch &watch)
{
    std::vector<FileIdentity> identities;
    for (const WantedAdapter &one : wanted) {
        identities.push_back(orThrow(fileIdentity(one.path)));
        identities.push_back(fileIdentity(adapterConfigPath(one.path)).value_or(FileIdentity{}));
    }
    AdapterReport report;
    if (wanted == m_wanted && identities == m_identities) {
        report.warnings = m_warnings;
        return report;
    }
    // Until all is done the networks are nobody's.
    m_wanted.clear();
    m_identities.clear();
    m_warnings.clear();
    Alive alive;
    try {
        Files files;
        std::vector<std::shared_ptr<const nn::MappedFile>> mapped;
        for (const WantedAdapter &one : wanted) {
            files.push_back(std::make_shared<const AdapterFile>(one.path));
            mapped.insert(mapped.end(), files.back()->files().begin(), files.back()->files().end());
        }
        alive = nn::readAhead(mapped, wanted.empty() ? std::string() : wanted.front().path, stop, watch);
        const Steps steps = plan(wanted, files, report);
        static const std::vector<Step> kNone;
        for (std::size_t i = 0; i < m_layers.size(); ++i) {
            const auto found = steps.find(i);
            if (found == steps.end() && m_layers[i].saved.empty()) continue;
            if (stop.stop_requested()) throw Failure{{ErrorCode::Cancelled, "merging LoRAs was cancelled", {}}};
            merge(m_layers[i], found == steps.end() ? kNone : found->second, alive);
            report.textChanged = report.textChanged || m_layers[i].text;
        }
    } catch (...) {
        undo(alive);
        throw;
    }
    m_wanted = wanted;
    m_identities = std::move(identities);
    m_warnings = report.warnings;
    return report;
}

void AdapterSet::merge(Layer &layer, const std::vector<Step> &steps, const Alive &alive)
{
    layer.leaf->editStored([&](const std::vector<nn::Leaf::Declared> &declared) {
        const torch::ScalarType precision = layer.leaf->precision();
        std::vector<torch::Tensor> made = merged(declared, layer, steps, alive);
        std::vector<Saved> saved(declared.size());
        bool any = false;
        for (std::size_t i = 0; i < declared.size(); ++i) {
            const torch::Tensor &parameter = declared[i].parameter;
            const bool changed = !layer.saved.empty() && layer.saved[i].weight.defined();
            const bool known = precision != torch::ScalarType::Undefined;
            const torch::ScalarType computed = known ? precision : parameter.scalar_type();
            if (made[i].defined()) {
                const bool waits = parameter.scalar_type() != computed;
                saved[i] = changed ? layer.saved[i]
                           : waits ? Saved{parameter.detach(), true}
                                   : Saved{compact(parameter.detach()), false};
                made[i] = made[i].to(computed);
                any = true;
            } else if (changed) {
                const Saved &before = layer.saved[i];
                made[i] = before.ofFile ? before.weight : before.weight.to(computed);
            }
        }
        // Nothing below allocates: the weights and what is kept of them change together.
        layer.saved = any ? std::move(saved) : std::vector<Saved>{};
        for (std::size_t i = 0; i < declared.size(); ++i)
            if (torch::Tensor parameter = declared[i].parameter; made[i].defined()) parameter.set_data(made[i]);
    });
    if (alive) alive();
}

std::vector<torch::Tensor> AdapterSet::merged(const std::vector<nn::Leaf::Declared> &declared, const Layer &layer,
                                              const std::vector<Step> &steps, const Alive &alive) const
{
    std::vector<torch::Tensor> made(declared.size());
    const auto working = [&](const Step &step, const std::string &parameter) {
        const std::size_t i = place(step.target->network, parameter)->parameter;
        if (!made[i].defined()) {
            const bool saved = !layer.saved.empty() && layer.saved[i].weight.defined();
            made[i] = (saved ? layer.saved[i].weight : declared[i].parameter)
                          .to(torch::kFloat32, /*non_blocking=*/false, /*copy=*/true);
        }
        torch::Tensor whole = made[i];
        if (step.target->transposed) whole = whole.t();
        if (step.target->third < 0) return whole;
        const std::int64_t rows = whole.size(0) / 3;
        return whole.narrow(0, step.target->third * rows, rows);
    };
    for (const Step &step : steps) {
        try {
            torch::Tensor weight = working(step, step.target->weight);
            Parts parts = step.file->read(*step.group, alive);
            for (auto &[name, part] : parts)
                part = part.to(weight.device());
            const Change change = changeOf(parts, weight, step.strength);
            if (change.bias.defined()) {
                if (step.target->bias.empty())
                    throw Failure{{ErrorCode::UnusableFile, "it changes a bias, and the layer has none", {}}};
                torch::Tensor bias = working(step, step.target->bias);
                if (bias.numel() != change.bias.numel())
                    throw Failure{{ErrorCode::UnusableFile,
                                   "it changes " + std::to_string(change.bias.numel()) + " biases, the layer has " +
                                       std::to_string(bias.numel()),
                                   {}}};
                bias.add_(change.bias.view(bias.sizes()));
            }
            if (change.biasFactors.defined() && !step.target->bias.empty()) {
                torch::Tensor bias = working(step, step.target->bias);
                bias.mul_(change.biasFactors.view(bias.sizes()));
            }
            if (change.weight.defined()) weight.add_(change.weight);
        } catch (Failure &failure) {
            const std::string key = failure.error.subject.empty() ? std::string() : " " + failure.error.subject;
            throw Failure{{failure.error.code,
                           step.what + key + ": " + failure.error.message + familyHint(step.file->index(), m_family),
                           step.file->index().path()}};
        }
        step.file->requireUnchanged();
        if (alive) alive();
    }
    return made;
}

/// Every layer that can be is put back; a layer that cannot (memory) keeps what it saved, for the next call.
void AdapterSet::undo(const Alive &alive)
{
    for (Layer &layer : m_layers) {
        if (layer.saved.empty()) continue;
        try {
            merge(layer, {}, alive);
        } catch (...) {
            logError("engine",
                     "there was no memory to take a LoRA back at once; it is tried again before the next task");
        }
    }
}

std::size_t AdapterSet::bytes() const
{
    std::size_t sum = 0;
    for (const Layer &layer : m_layers)
        for (const Saved &one : layer.saved) {
            if (!one.weight.defined()) continue;
            // In the place of the file's pages lies a tensor of the precision that is computed with.
            const torch::ScalarType type = one.ofFile ? layer.leaf->precision() : one.weight.scalar_type();
            sum += static_cast<std::size_t>(one.weight.numel()) * c10::elementSize(type);
        }
    return sum;
}

}  // namespace sg::adapters
