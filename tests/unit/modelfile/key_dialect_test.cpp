#include "core/modelfile/key_dialect.h"
#include "core/modelfile/model_kind.h"
#include "tests/support/check.h"

#include <algorithm>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

// The names of whole models in one dialect become those in the other, both ways: tests/data/keys, which
// tests/parity/make_key_lists.py makes from diffusers' modules and checks with diffusers' own converter.

namespace {

using namespace sg;
const std::vector<std::string> kModels{"sd1", "sd1_inpaint", "sd2", "sdxl", "sdxl_refiner"};

TensorIndex readKeys(const std::string &name)
{
    const std::string path = std::string(SG_TEST_DATA) + "/keys/" + name + ".txt";
    std::ifstream file(path);
    TensorIndex::Tensors tensors;
    std::string before, rest, shape;
    std::uint64_t at = 0;
    for (std::size_t same = 0; file >> same >> rest >> shape;) {
        before = before.substr(0, same) + rest;
        TensorInfo info{DType::F16, {}, at, 2};
        std::istringstream sizes(shape);
        for (std::string size; std::getline(sizes, size, 'x');)
            info.shape.push_back(std::stoll(size));
        info.bytes *= static_cast<std::uint64_t>(info.elements());
        at += info.bytes;
        tensors.emplace(before, info);
    }
    if (tensors.size() < 100) throw std::runtime_error(path + " lacks names");
    return TensorIndex(path, at, {}, std::move(tensors));
}

TensorIndex renamed(const TensorIndex &index, const std::string &from, const std::string &to)
{
    TensorIndex::Tensors tensors;
    for (const auto &[name, info] : index.tensors())
        if (name.starts_with(from)) tensors.emplace(to + name.substr(from.size()), info);
    return TensorIndex(index.path(), index.fileSize(), {}, std::move(tensors));
}

void same(const TensorIndex &a, const TensorIndex &b, const std::string &what)
{
    for (const auto &[one, other] : {std::pair(&a, &b), std::pair(&b, &a)})
        for (const auto &[name, info] : one->tensors())
            if (const TensorInfo *found = other->find(name); !found || found->shape != info.shape)
                sg::test::failed(__FILE__, __LINE__,
                                 what + ": " + name + (found ? " differs in shape" : " is missing"));
    CHECK(a.tensors().size() == b.tensors().size());
}

SG_CASE(foldersBecomeSingleFiles)
{
    for (const std::string &model : kModels)
        same(canonicalNames(readKeys(model + ".diffusers")), readKeys(model + ".ldm"), model);
}

SG_CASE(singleFilesStayAsTheyAre)
{
    for (const std::string &model : kModels) {
        const TensorIndex index = readKeys(model + ".ldm");
        same(canonicalNames(index), index, model);
        CHECK(canonicalNames(index).tensors() == index.tensors());
    }
}

// Inpainting and pix2pix checkpoints differ from the others in one shape.
SG_CASE(inputChannels)
{
    const std::string first = "model.diffusion_model.input_blocks.0.0.weight";
    CHECK(canonicalNames(readKeys("sd1_inpaint.diffusers")).dim(first, 1) == 9);
    const TensorIndex folder = readKeys("sd1.diffusers");
    TensorIndex::Tensors tensors = folder.tensors();
    tensors["unet.conv_in.weight"].shape[1] = 8;
    CHECK(canonicalNames(TensorIndex("edit", 0, {}, std::move(tensors))).dim(first, 1) == 8);
    CHECK(canonicalNames(folder).dim(first, 1) == 4);
}

SG_CASE(partsWithoutPrefix)
{
    for (const std::string &model : kModels) {
        const TensorIndex folder = readKeys(model + ".diffusers"), file = readKeys(model + ".ldm");
        const std::string unet = "model.diffusion_model.", vae = "first_stage_model.";
        same(canonicalNames(renamed(folder, "unet.", "")), renamed(file, unet, unet), model + " UNet of diffusers");
        same(canonicalNames(renamed(folder, "unet.", unet)), renamed(file, unet, unet),
             model + " UNet below LDM's prefix");
        same(canonicalNames(renamed(file, unet, "")), renamed(file, unet, unet), model + " UNet of LDM");
        same(canonicalNames(renamed(file, unet, "diffusion_model.")), renamed(file, unet, unet), model + " UNet, half");
        same(canonicalNames(renamed(folder, "vae.", "")), renamed(file, vae, vae), model + " VAE of diffusers");
        same(canonicalNames(renamed(file, vae, "")), renamed(file, vae, vae), model + " VAE of LDM");
        same(canonicalNames(renamed(file, vae, "vae.")), renamed(file, vae, vae), model + " VAE with a prefix");
    }
}

SG_CASE(textEncodersAlone)
{
    const std::string sd1 = "cond_stage_model.transformer.", sd2 = "cond_stage_model.model.";
    const std::string big = "conditioner.embedders.1.model.";
    const TensorIndex file1 = readKeys("sd1.ldm"), file2 = readKeys("sd2.ldm"), fileXl = readKeys("sdxl.ldm");
    same(canonicalNames(renamed(readKeys("sd1.diffusers"), "text_encoder.", "")), renamed(file1, sd1, sd1), "CLIP-L");
    same(canonicalNames(renamed(file1, sd1 + "text_model.", sd1)), renamed(file1, sd1, sd1), "CLIP-L, no text_model");
    same(canonicalNames(renamed(readKeys("sd2.diffusers"), "text_encoder.", "")), renamed(file2, sd2, sd2), "ViT-H");
    same(canonicalNames(renamed(file2, sd2, "")), renamed(file2, sd2, sd2), "ViT-H of OpenCLIP");
    same(canonicalNames(renamed(readKeys("sdxl.diffusers"), "text_encoder_2.", "")), renamed(fileXl, big, big), "bigG");
    same(canonicalNames(renamed(fileXl, big, "")), renamed(fileXl, big, big), "bigG of OpenCLIP");
}

SG_CASE(oneProjectionOfThree)
{
    const TensorIndex folder = readKeys("sdxl.diffusers"), named = canonicalNames(folder);
    const std::string ours = "conditioner.embedders.1.model.";
    const TensorInfo *joined = named.find(ours + "transformer.resblocks.7.attn.in_proj_weight");
    const std::string theirs = "text_encoder_2.text_model.encoder.layers.7.self_attn.";
    CHECK(joined && joined->parts.size() == 3);
    CHECK(joined->parts[0] == *folder.find(theirs + "q_proj.weight"));
    CHECK(joined->parts[1] == *folder.find(theirs + "k_proj.weight"));
    CHECK(joined->parts[2] == *folder.find(theirs + "v_proj.weight"));
    CHECK(joined->bytes == 3 * joined->parts[0].bytes);
    const TensorInfo *projection = named.find(ours + "text_projection");
    CHECK(projection && (projection->strides == std::vector<std::int64_t>{1, 1280}));
}

SG_CASE(emaOnRequest)
{
    const std::string key = "model.diffusion_model.input_blocks.0.0.weight";
    TensorIndex::Tensors tensors = readKeys("sd1.ldm").tensors();
    const std::string ema = "model_ema.diffusion_modelinput_blocks00weight";
    tensors[ema] = TensorInfo{DType::F32, tensors[key].shape, 77, tensors[key].bytes * 2};
    tensors["model_ema.decay"] = TensorInfo{DType::F32, {}, 1, 4};
    const TensorIndex index("x", 0, {}, tensors);
    CHECK(canonicalNames(index).find(key)->offset != 77);
    const TensorIndex named = canonicalNames(index, {.preferEma = true});
    CHECK(named.find(key)->offset == 77 && named.find(key)->dtype == DType::F32);
    CHECK(named.find("model.diffusion_model.out.0.bias")->offset == tensors["model.diffusion_model.out.0.bias"].offset);
}

SG_CASE(otherFilesKeepTheirNames)
{
    const auto keeps = [](std::vector<std::pair<std::string, std::vector<std::int64_t>>> tensors) {
        TensorIndex::Tensors made;
        for (const auto &[name, shape] : tensors)
            made.emplace(name, TensorInfo{DType::F16, shape, 0, 0});
        const TensorIndex index({}, 0, {}, std::move(made));
        CHECK(canonicalNames(index).tensors() == index.tensors());
    };
    keeps({{"controlnet_cond_embedding.conv_in.weight", {16, 3, 3, 3}},
           {"conv_in.weight", {320, 4, 3, 3}},
           {"time_embedding.linear_1.weight", {1280, 320}},
           {"up_blocks.0.x", {1}},
           {"down_blocks.0.resnets.0.norm1.weight", {320}}});
    keeps({{"input_hint_block.0.weight", {16, 3, 3, 3}}, {"input_blocks.0.0.weight", {320, 4, 3, 3}}});
    keeps({{"lora_unet_down_blocks_0.lora_up.weight", {1, 1}}, {"string_to_param.*", {2, 768}}});
    keeps({{"encoder.block.0.layer.0.SelfAttention.q.weight", {1, 1}}, {"shared.weight", {1, 1}}});
    keeps({{"down_blocks..resnets.0.norm1.weight", {1}}, {"unet.down_blocks.9999999999.x", {1}}, {"unet.", {1}}});
}

SG_CASE(kindsOfRenamedModels)
{
    const auto family = [](const std::string &name) { return describeModel(canonicalNames(readKeys(name))).family; };
    for (const char *dialect : {".ldm", ".diffusers"}) {
        CHECK(family(std::string("sd1") + dialect) == BaseFamily::Sd1);
        CHECK(family(std::string("sd2") + dialect) == BaseFamily::Sd2);
        CHECK(family(std::string("sdxl") + dialect) == BaseFamily::Sdxl);
        CHECK(family(std::string("sdxl_refiner") + dialect) == BaseFamily::Sdxl);
        for (const std::string &model : kModels)
            CHECK(describeModel(canonicalNames(readKeys(model + dialect))).kind == ModelKind::Checkpoint);
    }
    const TensorIndex vae = renamed(readKeys("sd1.diffusers"), "vae.", "");
    CHECK(describeModel(canonicalNames(vae)).kind == ModelKind::Vae);
}

}  // namespace

int main(int count, char **names)
{
    return sg::test::runCases(count, names);
}
