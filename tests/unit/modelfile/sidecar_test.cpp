#include "core/modelfile/sidecar.h"
#include "tests/support/check.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

using namespace sg;

namespace {

std::string nested(int depth)
{
    std::string text;
    for (int i = 0; i < depth; ++i)
        text += "- ";
    return text + "x";
}

bool refused(const std::string &yaml, std::string_view why)
{
    const Expected<Sidecar> made = parseSidecar(yaml);
    return !made && made.error().code == ErrorCode::UnusableFile && made.error().message.find(why) != std::string::npos;
}

SG_CASE(whatTrainingFilesSay)
{
    // The parts of Stable Diffusion 2.1's v2-inference-v.yaml that are read, among others.
    const Expected<Sidecar> two = parseSidecar(R"(
model:
  base_learning_rate: 1.0e-4
  target: ldm.models.diffusion.ddpm.LatentDiffusion
  params:
    parameterization: "v"
    linear_start: 0.00085
    scale_factor: 0.18215
    use_ema: False # not this time
    unet_config:
      target: ldm.modules.diffusionmodules.openaimodel.UNetModel
      params:
        attention_resolutions: [ 4, 2, 1 ]
        num_head_channels: 64
        num_heads: -1
        context_dim: 1024
    cond_stage_config:
      target: ldm.modules.encoders.modules.FrozenOpenCLIPEmbedder
      params:
        layer: "penultimate"
)");
    CHECK(two && *two == (Sidecar{true, 0.18215, 1024, std::nullopt, 64, true}));
    const Expected<Sidecar> one =
        parseSidecar("model: {params: {unet_config: {params: {num_heads: 8, context_dim: 768}}}}");
    CHECK(one && *one == (Sidecar{std::nullopt, std::nullopt, 768, 8, std::nullopt, std::nullopt}));
    const Expected<Sidecar> xl = parseSidecar(
        "model:\n  params:\n    denoiser_config:\n      params:\n        scaling_config:\n"
        "          target: sgm.modules.diffusionmodules.denoiser_scaling.VScaling\n    network_config:\n      params:\n"
        "        context_dim: 2048\n");
    CHECK(xl && *xl == (Sidecar{true, std::nullopt, 2048, std::nullopt, std::nullopt, std::nullopt}));
    CHECK(parseSidecar("") && *parseSidecar("") == Sidecar{});
    CHECK(parseSidecar("- just\n- a list") && *parseSidecar("nothing: known") == Sidecar{});
}

SG_CASE(badFilesAreRefused)
{
    CHECK(refused("a: [1, 2", "no YAML"));
    CHECK(refused("a: &x [1]\nb: *x", "alias"));
    CHECK(refused("--- a\n--- b", "more than one document"));
    CHECK(refused("? [a]\n: b", "as a key"));
    CHECK(parseSidecar(nested(kMaxSidecarDepth)).has_value());
    CHECK(refused(nested(kMaxSidecarDepth + 1), "nested deeper than 32"));
    CHECK(refused(std::string(kMaxSidecarBytes + 1, ' '), "longer than 256 KiB"));
    std::string many;
    for (int i = 0; i < 5000; ++i)
        many += "k" + std::to_string(i) + ": 1\n";
    CHECK(refused(many, "more than 4096 values"));
    CHECK(refused("? \"" + std::string(129, 'a') + "\"\n: [1, 1]", "a name of more than 128 bytes"));
    CHECK(refused("model: {params: {scale_factor: twelve}}", "scale_factor must be a number"));
    CHECK(refused("model: {params: {scale_factor: .inf}}", "scale_factor must be a number"));
    CHECK(refused("model: {params: {parameterization: x0}}", "must be eps or v"));
    CHECK(refused("model: {params: {unet_config: {params: {context_dim: 99999999}}}}", "context_dim must be a number"));
}

SG_CASE(besideTheCheckpoint)
{
    std::string folder = (std::filesystem::temp_directory_path() / "sg-sidecar-XXXXXX").string();
    CHECK(::mkdtemp(folder.data()) != nullptr);
    const std::filesystem::path checkpoint = std::filesystem::path(folder) / "m.v1.safetensors";
    const auto none = readSidecar(checkpoint);
    CHECK(none && !none->has_value());
    std::ofstream(std::filesystem::path(folder) / "m.v1.yaml") << "model: {params: {parameterization: eps}}";
    const auto found = readSidecar(checkpoint);
    CHECK(found && *found && (*found)->predictsV == false);
    std::ofstream(std::filesystem::path(folder) / "m.v1.yaml") << "a: *b";
    const auto bad = readSidecar(checkpoint);
    CHECK(!bad && bad.error().subject.ends_with("m.v1.yaml"));
    // The dot in a folder's name begins no extension.
    const std::filesystem::path parts = std::filesystem::path(folder) / "model.v2";
    std::filesystem::create_directories(parts);
    CHECK(readSidecar(parts) && !readSidecar(parts)->has_value());
    std::ofstream(std::filesystem::path(folder) / "model.yaml") << "model: {params: {parameterization: eps}}";
    CHECK(!readSidecar(parts)->has_value());
    std::ofstream(std::filesystem::path(folder) / "model.v2.yaml") << "model: {params: {parameterization: v}}";
    for (const std::filesystem::path &spelled : {parts, parts / ""}) {
        const auto read = readSidecar(spelled);
        CHECK(read && *read && (*read)->predictsV == true);
    }
    std::filesystem::remove_all(folder);
}

}  // namespace

SG_TEST_MAIN
