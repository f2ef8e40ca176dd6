// Runs single steps of a checkpoint's UNet on request, for tests/bench/cpu_step.py:
//   unet_step CHECKPOINT THREADS
// answers each line "run INPUT OUTPUT SIDE" on stdin with the seconds that the step took. INPUT holds x [2, 4, SIDE / 8,
// SIDE / 8] and the conditioning [2, 77, context] as float32, OUTPUT gets the network's output in the same form.
#include "core/diffusion/nn/bind.h"
#include "core/diffusion/unet/unet.h"
#include "core/modelfile/safetensors.h"

#include <ATen/Parallel.h>
#include <c10/core/InferenceMode.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <string>

namespace {

constexpr float kTimestep = 500;
constexpr std::int64_t kTokens = 77;
const char *const kPrefix = "model.diffusion_model.";

double now()
{
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

torch::Tensor readFloats(std::ifstream &file, at::IntArrayRef shape)
{
    torch::Tensor tensor = torch::empty(shape);
    file.read(static_cast<char *>(tensor.data_ptr()), static_cast<std::streamsize>(tensor.nbytes()));
    if (!file) throw sg::Failure{sg::Error{sg::ErrorCode::InvalidArgument, "input file is too short", ""}};
    return tensor;
}

sg::UNet load(const std::string &path)
{
    const sg::Expected<sg::TensorIndex> index = sg::readSafetensors(path);
    if (!index) throw sg::Failure{index.error()};
    const auto file = sg::nn::MappedFile::open(path, index->identity());
    if (!file) throw sg::Failure{file.error()};
    sg::UNet unet(sg::UNetConfig::detect(*index, kPrefix));
    sg::nn::BindReport report;
    sg::nn::bind(*unet, kPrefix, sg::nn::WeightSource{.index = *index, .file = *file}, report);
    return unet;
}

double step(sg::UNet &unet, const std::string &input, const std::string &output, std::int64_t side)
{
    std::ifstream file(input, std::ios::binary);
    const torch::Tensor x = readFloats(file, {2, 4, side / 8, side / 8});
    const torch::Tensor context = readFloats(file, {2, kTokens, unet->config().contextDim});
    const torch::Tensor timesteps = torch::full({2}, kTimestep);  // one a picture, as the pipeline calls it
    const double begin = now();
    const torch::Tensor y = unet->forward(x, timesteps, context);
    const double seconds = now() - begin;
    const torch::Tensor flat = y.contiguous();
    std::ofstream(output, std::ios::binary)
        .write(static_cast<const char *>(flat.const_data_ptr()), static_cast<std::streamsize>(flat.nbytes()));
    return seconds;
}

int serve(int count, char **words)
{
    if (count != 3) {
        std::fputs("usage: unet_step CHECKPOINT THREADS\n", stderr);
        return 2;
    }
    at::set_num_threads(std::atoi(words[2]));
    const c10::InferenceMode inference;
    const double begin = now();
    sg::UNet unet = load(words[1]);
    std::printf("ready %.3f\n", now() - begin);
    std::fflush(stdout);
    std::string command, input, output;
    std::int64_t side = 0;
    while (std::cin >> command >> input >> output >> side) {
        std::printf("%.4f\n", step(unet, input, output, side));
        std::fflush(stdout);
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
