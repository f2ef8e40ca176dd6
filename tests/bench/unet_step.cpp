// Runs single steps of a checkpoint's UNet, or decodes with its autoencoder, on request, for tests/bench/cpu_step.py:
//   unet_step CHECKPOINT THREADS [unet|vae] [profile]
// answers each line "run INPUT OUTPUT SIDE" on stdin with the seconds that it took. INPUT holds x [2, 4, SIDE / 8, SIDE
// / 8], the conditioning [2, 77, context] and, where the network takes one, the vector [2, V], for the autoencoder
// [1, 4, SIDE / 8, SIDE / 8], as float32; OUTPUT gets what was made in the same form. With "profile", stderr says after each step how long each operator and shape took.
#include "core/diffusion/nn/bind.h"
#include "core/diffusion/unet/unet.h"
#include "core/diffusion/vae/vae.h"
#include "core/modelfile/safetensors.h"

#include <ATen/Parallel.h>
#include <ATen/record_function.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace {

constexpr float kTimestep = 500;
constexpr std::int64_t kTokens = 77;
const char *const kPrefix = "model.diffusion_model.";
const char *const kVaePrefix = "first_stage_model.";

double now()
{
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// Seconds by operator and shape of the first tensor: only of what our code calls itself, not what those call in turn.
class Profile {
public:
    static void start() { at::addThreadLocalCallback(at::RecordFunctionCallback(enter, leave).needsInputs(true)); }

    static void print()
    {
        std::vector<std::pair<double, std::string>> rows;
        double sum = 0;
        for (const auto &[name, seconds] : s_seconds) {
            rows.emplace_back(seconds, name);
            sum += seconds;
        }
        std::sort(rows.rbegin(), rows.rend());
        std::fprintf(stderr, "%.3f s in operators\n", sum);
        for (const auto &[seconds, name] : rows)
            if (seconds > 0.005 * sum)
                std::fprintf(stderr, "%7.3f s %5.1f %%  %s\n", seconds, 100 * seconds / sum, name.c_str());
        s_seconds.clear();
    }

private:
    struct Context : at::ObserverContext {
        double begin = 0;
        std::string name;
    };

    static std::unique_ptr<at::ObserverContext> enter(const at::RecordFunction &function)
    {
        auto context = std::make_unique<Context>();
        if (s_depth++ > 0) return context;
        context->name = function.name();
        for (const c10::IValue &input : function.inputs()) {
            if (!input.isTensor() || !input.toTensor().defined()) continue;
            context->name += " [";
            for (const std::int64_t size : input.toTensor().sizes())
                context->name += std::to_string(size) + " ";
            context->name.back() = ']';
            break;
        }
        context->begin = now();
        return context;
    }

    static void leave(const at::RecordFunction &, at::ObserverContext *context)
    {
        const auto *own = static_cast<Context *>(context);
        if (--s_depth == 0 && own) s_seconds[own->name] += now() - own->begin;
    }

    inline static int s_depth = 0;
    inline static std::map<std::string, double> s_seconds;
};

torch::Tensor readFloats(std::ifstream &file, at::IntArrayRef shape)
{
    torch::Tensor tensor = torch::empty(shape);
    file.read(static_cast<char *>(tensor.data_ptr()), static_cast<std::streamsize>(tensor.nbytes()));
    if (!file) throw sg::Failure{sg::Error{sg::ErrorCode::InvalidArgument, "input file is too short", ""}};
    return tensor;
}

struct Networks {
    sg::UNet unet{nullptr};
    sg::Vae vae{nullptr};  ///< one of the two
};

Networks load(const std::string &path, bool vae)
{
    const sg::Expected<sg::TensorIndex> index = sg::readSafetensors(path);
    if (!index) throw sg::Failure{index.error()};
    const auto file = sg::nn::MappedFile::open(path, index->identity());
    if (!file) throw sg::Failure{file.error()};
    const sg::nn::WeightSource source{.index = *index, .files = {*file}};
    sg::nn::BindReport report;
    Networks made;
    if (vae) {
        made.vae = sg::Vae(sg::VaeConfig::detect(*index, kVaePrefix));
        sg::nn::bind(*made.vae, kVaePrefix, source, report);
    } else {
        made.unet = sg::UNet(sg::UNetConfig::detect(*index, kPrefix));
        sg::nn::bind(*made.unet, kPrefix, source, report);
    }
    return made;
}

double step(Networks &networks, const std::string &input, const std::string &output, std::int64_t side)
{
    std::ifstream file(input, std::ios::binary);
    const torch::Tensor x = readFloats(file, {networks.unet ? 2 : 1, 4, side / 8, side / 8});
    torch::Tensor context, vector, y;
    if (networks.unet) {
        const sg::UNetConfig &config = networks.unet->config();
        context = readFloats(file, {2, kTokens, config.contextDim});
        if (config.vectorDim > 0) vector = readFloats(file, {2, config.vectorDim});
    }
    const torch::Tensor timesteps = torch::full({2}, kTimestep);  // one a picture, as the pipeline calls it
    const double begin = now();
    y = networks.unet ? networks.unet->forward(x, timesteps, context, vector) : networks.vae->decode(x);
    const double seconds = now() - begin;
    const torch::Tensor flat = y.contiguous();
    std::ofstream(output, std::ios::binary)
        .write(static_cast<const char *>(flat.const_data_ptr()), static_cast<std::streamsize>(flat.nbytes()));
    return seconds;
}

int serve(int count, char **words)
{
    const std::string what = count > 3 ? words[3] : "unet";
    if (count < 3 || count > 5 || (what != "unet" && what != "vae")) {
        std::fputs("usage: unet_step CHECKPOINT THREADS [unet|vae] [profile]\n", stderr);
        return 2;
    }
    const bool profile = count == 5;
    at::set_num_threads(std::atoi(words[2]));
    const c10::InferenceMode inference;
    const double begin = now();
    Networks networks = load(words[1], what == "vae");
    std::printf("ready %.3f\n", now() - begin);
    std::fflush(stdout);
    if (profile) Profile::start();
    std::string command, input, output;
    std::int64_t side = 0;
    while (std::cin >> command >> input >> output >> side) {
        std::printf("%.4f\n", step(networks, input, output, side));
        std::fflush(stdout);
        if (profile) Profile::print();
    }
    return 0;
}

}  // namespace

int main(int count, char **words)
{
    setenv("THP_MEM_ALLOC_ENABLE", "1", 0);  // as the engine does
    try {
        return serve(count, words);
    } catch (const sg::Failure &failure) {
        std::fprintf(stderr, "unet_step: %s (%s)\n", failure.error.message.c_str(), failure.error.subject.c_str());
    } catch (const std::exception &problem) {
        std::fprintf(stderr, "unet_step: %s\n", problem.what());
    }
    return 1;
}
