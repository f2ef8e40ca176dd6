#include "core/diffusion/adapters/adapter_set.h"
#include "core/diffusion/adapters/embedding_set.h"
#include "core/diffusion/pipeline/checkpoint.h"
#include "core/diffusion/pipeline/vector_conditioning.h"
#include "core/modelfile/adapter_reach.h"
#include "core/modelfile/key_dialect.h"
#include "core/modelfile/model_file.h"
#include "tests/parity/adapters/tiny_layers.h"
#include "tests/support/check.h"
#include "tests/support/filled_checkpoint.h"
#include "tests/support/starter_model.h"
#include "tests/support/tensor_file.h"
#include "tests/support/tensor_writer.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

// LoRAs of every kind against peft, diffusers and formulas spelled out (tests/parity/make_adapters.py), and what must
// hold whatever the kind: undone bit for bit, order, the same set twice, files that do not fit.
namespace {

using namespace sg;
using namespace sg::adapters;
using sg::test::relativeError;
using sg::test::TensorFile;
using test::Folder, test::LayersImpl, test::Tensors, test::eachWeight, test::freshLayers, test::kinds, test::refusal,
    test::sameBits, test::under, test::weightsOf, test::writeKind;

const std::string kData = SG_PARITY_DATA;
const std::vector<std::string> kKinds{
    "lora",         "lora_scale", "locon_mid", "loha", "loha_t",  "lokr", "lokr_both", "lokr_t", "lokr_full", "dora",
    "dora_columns", "ia3",        "ia3_out",   "oft",  "oft_old", "boft", "glora",     "norm",   "full"};

template <class Work>
bool cancelled(Work work)
{
    try {
        work();
        return false;
    } catch (const Failure &failure) {
        return failure.error.code == ErrorCode::Cancelled;
    }
}

// The file's tensors under the names of another style; diffusers and peft have no alpha, so it is in the weights.
Tensors inStyle(const TensorFile &lora, const std::string &names, const std::string &style)
{
    Tensors tensors;
    std::ifstream file(names);
    for (std::array<std::string, 4> row; file >> row[0] >> row[1] >> row[2] >> row[3];) {
        const torch::Tensor down = lora.at(row[0] + ".lora_down.weight").to(torch::kFloat),
                            up = lora.at(row[0] + ".lora_up.weight").to(torch::kFloat),
                            alpha = lora.at(row[0] + ".alpha").to(torch::kFloat);
        if (style == "kohya" || style == "ldm") {
            const std::string &layer = row[style == "kohya" ? 0 : 1];
            tensors[layer + ".lora_down.weight"] = down;
            tensors[layer + ".lora_up.weight"] = up;
            tensors[layer + ".alpha"] = alpha;
            continue;
        }
        std::string other = row[style == "diffusers" ? 2 : 3];
        tensors[other] = down;
        for (const auto &[from, to] : {std::pair(".down.", ".up."), {"lora_A", "lora_B"}})
            if (const std::size_t at = other.rfind(from); at != std::string::npos)
                other.replace(at, std::string(from).size(), to);
        tensors[other] = up * (alpha / down.size(0));
    }
    CHECK(tensors.size() > 150);
    return tensors;
}

}  // namespace

SG_CASE(every_kind_and_its_undoing)
{
    const Folder folder;
    std::set<std::string> seen;
    for (const std::string &kind : kKinds) {
        const auto layers = freshLayers();
        const Tensors before = weightsOf(*layers);
        AdapterSet set({{AdapterNetwork::Unet, layers}}, BaseFamily::Unknown);
        const AdapterReport report = set.apply(writeKind(folder, kind));
        if (!report.warnings.empty()) test::failed(__FILE__, __LINE__, kind + ": " + report.warnings.front());
        CHECK(!report.textChanged);
        const Tensors after = weightsOf(*layers);
        double worst = 0;
        for (const auto &[name, expected] : under(kind + "/out/")) {
            worst = std::max(worst, relativeError(after.at(name), expected));
            seen.insert(kind);
        }
        std::printf("     %s: %.1e\n", kind.c_str(), worst);
        if (!(worst <= 1e-6)) test::failed(__FILE__, __LINE__, kind + " differs");
        CHECK(!sameBits(before, after));
        set.apply({});
        if (!sameBits(before, weightsOf(*layers))) test::failed(__FILE__, __LINE__, kind + " is not undone");
        CHECK(set.bytes() == 0);
    }
    // None of the data is forgotten.
    for (const auto &[name, tensor] : kinds().all())
        if (!name.starts_with("base/")) CHECK(seen.contains(name.substr(0, name.find('/'))));
}

// Files as peft writes them, with their settings beside them or in the header (tests/parity/make_peft_files.py).
SG_CASE(peft_s_own_files)
{
    const TensorFile out(kData + "/adapters/peft/out.safetensors");
    const auto layers = freshLayers();
    const Tensors before = weightsOf(*layers);
    AdapterSet set({{AdapterNetwork::Unet, layers}}, BaseFamily::Unknown);
    const auto compare = [&](const std::string &kind, const std::string &path) {
        const AdapterReport report = set.apply({{kind, path, 99, 1, {}}});
        if (!report.warnings.empty()) test::failed(__FILE__, __LINE__, kind + ": " + report.warnings.front());
        const Tensors after = weightsOf(*layers);
        double worst = 0;
        int compared = 0;
        for (const auto &[name, expected] : out.all()) {
            if (!name.starts_with(kind + "/")) continue;
            worst = std::max(worst, relativeError(after.at(name.substr(kind.size() + 1)), expected));
            ++compared;
        }
        std::printf("     %s: %.1e\n", kind.c_str(), worst);
        if (!(worst <= 2e-6)) test::failed(__FILE__, __LINE__, kind + " differs");
        CHECK(compared == 6);
        set.apply({});
        CHECK(sameBits(before, weightsOf(*layers)));
    };
    std::size_t kinds = 0;
    for (const auto &entry : std::filesystem::directory_iterator(kData + "/adapters/peft")) {
        if (!entry.is_directory()) continue;
        ++kinds;
        compare(entry.path().filename().string(), (entry.path() / "adapter_model.safetensors").string());
    }
    CHECK(kinds == 12);
    compare("lora", kData + "/adapters/peft/header.safetensors");
}

SG_CASE(bad_settings_of_peft_name_their_field)
{
    const Folder folder;
    const std::string path = folder.file("adapter_model.safetensors"), config = folder.file("adapter_config.json");
    std::filesystem::copy_file(kData + "/adapters/peft/lora/adapter_model.safetensors", path);
    const auto layers = freshLayers();
    const Tensors before = weightsOf(*layers);
    AdapterSet set({{AdapterNetwork::Unet, layers}}, BaseFamily::Unknown);
    for (const auto &[text, named] : {std::pair("[]", "no object"),
                                      {"{", "adapter_config.json"},
                                      {R"({"lora_alpha":"x"})", "lora_alpha"},
                                      {R"({"r":-1})", "r is out of range"},
                                      {R"({"rank_pattern":{"a":0}})", "rank_pattern"},
                                      {R"({"alpha_pattern":[1]})", "alpha_pattern"},
                                      {R"({"rank_pattern":{"blocks\\.[0-9]":2}})", "expression"},
                                      {R"({"feedforward_modules":"ff|fc"})", "expression"},
                                      {R"({"use_rslora":1})", "use_rslora"},
                                      {R"({"feedforward_modules":[1]})", "feedforward_modules"},
                                      {R"({"num_cayley_neumann_terms":65})", "num_cayley_neumann_terms"},
                                      {R"({"r":1,"r":2})", "r"}}) {
        std::ofstream(config) << text;
        const std::string said = refusal(set, {{"one", path, 1, 1, {}}});
        if (said.find(named) == std::string::npos || said.find("adapter_config.json") == std::string::npos)
            test::failed(__FILE__, __LINE__, std::string(text) + ": " + said);
        CHECK(sameBits(before, weightsOf(*layers)));
    }
    // Settings that change make a LoRA another one.
    std::ofstream(config) << R"({"r":2,"lora_alpha":2})";
    set.apply({{"one", path, 1, 1, {}}});
    const Tensors weak = weightsOf(*layers);
    std::ofstream(config) << R"({"r":2,"lora_alpha":20})";
    set.apply({{"one", path, 1, 1, {}}});
    CHECK(!sameBits(weak, weightsOf(*layers)));
}

/// A butterfly of two levels, which peft computes with CUDA alone: explicit permutations and block matrices.
SG_CASE(peft_s_butterflies)
{
    constexpr std::int64_t kInputs = 8, kSide = 2, kBlocks = 4;
    torch::manual_seed(5);
    const torch::Tensor weight = torch::randn({3, kInputs}), factors = torch::randn({3, 1});
    const torch::Tensor blocks = torch::randn({2, kBlocks, kSide, kSide}) * 0.5;
    torch::Tensor whole = torch::eye(kInputs);
    // Rows that a block of each level turns together, written out.
    const std::array<std::array<std::int64_t, kInputs>, 2> orders{{{0, 1, 2, 3, 4, 5, 6, 7}, {0, 2, 1, 3, 4, 6, 5, 7}}};
    for (std::size_t level = 0; level < orders.size(); ++level) {
        torch::Tensor turn = torch::zeros({kInputs, kInputs}), permutation = torch::zeros({kInputs, kInputs});
        for (std::int64_t block = 0; block < kBlocks; ++block) {
            const torch::Tensor one = blocks[static_cast<std::int64_t>(level)][block];
            const torch::Tensor skew = 0.5 * (one - one.t()), eye = torch::eye(kSide);
            turn.slice(0, block * kSide, (block + 1) * kSide).slice(1, block * kSide, (block + 1) * kSide) =
                torch::matmul(eye - skew, torch::inverse(eye + skew));
        }
        for (std::int64_t i = 0; i < kInputs; ++i)
            permutation[i][orders[level][static_cast<std::size_t>(i)]] = 1;
        whole = permutation.matmul(turn).matmul(permutation.t()).matmul(whole);
    }
    const torch::Tensor expected = whole.matmul(weight.t()).t() * factors;
    const Change change = changeOf({{"boft_r", blocks}, {"boft_s", factors}}, weight, {});
    CHECK(relativeError(weight + change.weight, expected) <= 1e-5);
}

// Half precision weights are the file's own pages: a LoRA takes memory in their place, and gives it back.
SG_CASE(merged_weights_give_their_memory_back)
{
    const Folder folder;
    const auto checkpoint = loadCheckpoint(test::kStarter, torch::kCPU, torch::kFloat32);
    const auto parameters = checkpoint->unet->named_parameters();
    const torch::Tensor weight = parameters["middle_block.0.in_layers.2.weight"];
    CHECK(weight.scalar_type() == torch::kFloat16);
    const void *const pages = weight.data_ptr();
    const torch::Tensor before = weight.detach().clone();
    const std::string path = folder.file("bent.safetensors"), layer = "lora_unet_mid_block_resnets_0_conv1";
    test::writeTensors(path, {{layer + ".lora_down.weight", torch::randn({2, weight.size(1), 3, 3})},
                              {layer + ".lora_up.weight", torch::randn({weight.size(0), 2, 1, 1})}});
    AdapterSet set({{AdapterNetwork::Unet, checkpoint->unet.ptr()}}, BaseFamily::Sd1);
    for (int i = 0; i < 2; ++i) {
        CHECK(set.apply({{"bent", path, 1, 1, {}}}).warnings.empty());
        CHECK(weight.scalar_type() == torch::kFloat32 && set.bytes() == weight.numel() * sizeof(float));
        CHECK(!at::equal(weight, before.to(torch::kFloat32)));
        set.apply({{"bent", path, 1, 0.5, {}}});
        CHECK(set.bytes() == weight.numel() * sizeof(float));
        set.apply({});
        CHECK(weight.data_ptr() == pages && weight.scalar_type() == torch::kFloat16 && at::equal(weight, before));
        CHECK(set.bytes() == 0);
    }
}

SG_CASE(switching_sets_equals_starting_afresh)
{
    const Folder folder;
    const auto layers = freshLayers();
    AdapterSet set({{AdapterNetwork::Unet, layers}}, BaseFamily::Unknown);
    for (const std::string &kind : kKinds) {
        set.apply(writeKind(folder, kind));
        const auto fresh = freshLayers();
        AdapterSet(std::vector<AdaptedNetwork>{{AdapterNetwork::Unet, fresh}}, BaseFamily::Unknown)
            .apply(writeKind(folder, kind));
        CHECK(sameBits(weightsOf(*layers), weightsOf(*fresh)));
    }
}

SG_CASE(order_matters_and_a_second_time_changes_nothing)
{
    const Folder folder;
    const auto layers = freshLayers();
    AdapterSet set({{AdapterNetwork::Unet, layers}}, BaseFamily::Unknown);
    std::vector<WantedAdapter> wanted = writeKind(folder, "glora");
    set.apply(wanted);
    const Tensors first = weightsOf(*layers);
    const void *place = layers->named_parameters()["linear.weight"].data_ptr();
    set.apply(wanted);
    CHECK(layers->named_parameters()["linear.weight"].data_ptr() == place);
    CHECK(sameBits(first, weightsOf(*layers)));
    std::swap(wanted[0], wanted[1]);
    set.apply(wanted);
    CHECK(relativeError(weightsOf(*layers).at("linear.weight"), first.at("linear.weight")) > 1e-3);
    // A file that was replaced is noticed, though its name and multipliers are the same.
    test::writeTensors(wanted[0].path, under("lora/a/"));
    const Tensors old = weightsOf(*layers);
    set.apply(wanted);
    CHECK(!sameBits(old, weightsOf(*layers)));
}

// Without it whoever waits would take a large set on a slow disk for a stuck engine.
SG_CASE(reading_and_merging_tell)
{
    const Folder folder;
    const auto layers = freshLayers();
    AdapterSet set({{AdapterNetwork::Unet, layers}}, BaseFamily::Unknown);
    const std::vector<WantedAdapter> wanted = writeKind(folder, "lora");
    std::uint64_t size = 0;
    for (const WantedAdapter &one : wanted)
        size += std::filesystem::file_size(one.path);
    std::vector<std::pair<std::uint64_t, std::uint64_t>> told;
    const LoadWatch watch = [&](std::uint64_t bytes, std::uint64_t total) { told.emplace_back(bytes, total); };
    set.apply(wanted, {}, watch);
    CHECK(std::is_sorted(told.begin(), told.end()) && told.front().second == size && told.back().first == size);
    // Each file, then each layer of each file, and each layer.
    CHECK(told.size() > 2 * wanted.size());
    told.clear();
    set.apply(wanted, {}, watch);
    CHECK(told.empty());
    set.apply({}, {}, watch);
    CHECK(!told.empty());
    std::stop_source stopped;
    stopped.request_stop();
    CHECK(cancelled([&] { set.apply(wanted, stopped.get_token(), watch); }));

    test::writeTensors(folder.file("one"), {{"emb_params", torch::randn({2, 6})}});
    EmbeddingSet embeddings;
    const std::vector<WantedEmbedding> files{{"one", folder.file("one")}, {"gone", folder.file("gone")}};
    const std::uint64_t bytes = std::filesystem::file_size(folder.file("one"));
    told.clear();
    embeddings.use(files, {6}, nullptr, {}, watch);
    CHECK(told == std::vector(2, std::pair(bytes, bytes)));
    embeddings.use(files, {6}, nullptr, {}, watch);
    CHECK(told.size() == 2);
    CHECK(cancelled([&] { embeddings.use({files[0]}, {6}, nullptr, stopped.get_token(), watch); }));
}

SG_CASE(dyn_keeps_the_first_ranks)
{
    const Folder folder;
    const Tensors parts = under("lora/a/");
    const std::string whole = folder.file("whole.safetensors"), cut = folder.file("cut.safetensors");
    test::writeTensors(whole, parts);
    Tensors fewer = parts;
    for (auto &[name, tensor] : fewer) {
        if (name.ends_with("lora_up.weight")) tensor = tensor.narrow(1, 0, 2);
        if (name.ends_with("lora_down.weight")) tensor = tensor.narrow(0, 0, 2);
        if (name.ends_with("alpha")) tensor = tensor * 2 / 3;  // dyn leaves alpha / rank as it was
    }
    test::writeTensors(cut, fewer);
    const auto a = freshLayers(), b = freshLayers();
    AdapterSet one({{AdapterNetwork::Unet, a}}, BaseFamily::Unknown),
        other({{AdapterNetwork::Unet, b}}, BaseFamily::Unknown);
    one.apply({{"x", whole, 1, 1, 2}});
    other.apply({{"x", cut, 1, 1, {}}});
    for (const auto &[name, weight] : weightsOf(*a))
        CHECK(relativeError(weight, weightsOf(*b).at(name)) < 1e-6);
}

SG_CASE(weights_come_back_whatever_their_numbers)
{
    const Folder folder;
    const auto layers = freshLayers();
    // Such as come of float16, of bfloat16 and of neither, with zeros of both signs and numbers too small for halves.
    int turn = 0;
    eachWeight(*layers, [&](const std::string &, torch::Tensor parameter) {
        const torch::Tensor numbers = parameter.detach().clone();
        if (turn % 3 == 0) numbers.copy_(numbers.to(torch::kHalf).to(torch::kFloat));
        if (turn % 3 == 1) numbers.copy_((numbers * 1e-30).to(torch::kBFloat16).to(torch::kFloat));
        numbers.view(-1)[0] = -0.f;
        numbers.view(-1)[1] = 0.f;
        parameter.set_data(numbers);
        ++turn;
    });
    const Tensors before = weightsOf(*layers);
    AdapterSet set({{AdapterNetwork::Unet, layers}}, BaseFamily::Unknown);
    set.apply(writeKind(folder, "full"));
    CHECK(!sameBits(before, weightsOf(*layers)));
    CHECK(set.bytes() > 0);
    set.apply(writeKind(folder, "lora"));
    set.apply({});
    CHECK(sameBits(before, weightsOf(*layers)));
}

SG_CASE(files_that_do_not_fit_are_refused_and_leave_nothing)
{
    const Folder folder;
    const auto layers = freshLayers();
    const Tensors before = weightsOf(*layers);
    AdapterSet set({{AdapterNetwork::Unet, layers}}, BaseFamily::Unknown);
    const auto refuse = [&](const std::string &what, const Tensors &tensors, const std::vector<std::string> &words) {
        const std::string path = folder.file("bad.safetensors");
        test::writeTensors(path, tensors);
        // The good one is merged first, so that there is something to undo.
        std::vector<WantedAdapter> wanted = writeKind(folder, "full");
        wanted.push_back({"bad", path, 1, 1, {}});
        const std::string message = refusal(set, wanted);
        if (message.empty()) test::failed(__FILE__, __LINE__, what + " is not refused");
        for (const std::string &word : words)
            if (message.find(word) == std::string::npos)
                test::failed(__FILE__, __LINE__, what + ": \"" + message + "\" does not say " + word);
        CHECK(sameBits(before, weightsOf(*layers)));
    };
    const auto zeros = [](std::vector<std::int64_t> shape) { return torch::ones(shape); };
    const std::string layer = "lora_unet_linear";
    refuse("another width", {{layer + ".lora_up.weight", zeros({4, 2})}, {layer + ".lora_down.weight", zeros({2, 8})}},
           {"LoRA bad", layer, "[2, 8]", "[4, 6]"});
    refuse("ranks", {{layer + ".lora_up.weight", zeros({4, 3})}, {layer + ".lora_down.weight", zeros({2, 6})}},
           {layer, "do not fit each other", "[4, 3]"});
    refuse("half of it", {{layer + ".lora_up.weight", zeros({4, 2})}}, {layer, "lora_down is missing"});
    refuse("a huge product",
           {{layer + ".lora_up.weight", zeros({300000, 1})}, {layer + ".lora_down.weight", zeros({1, 300000})}},
           {layer, "larger than the weight"});
    refuse("huge factors", {{layer + ".lokr_w1", zeros({1000, 100})}, {layer + ".lokr_w2", zeros({1000, 100})}},
           {layer});
    refuse("blocks", {{layer + ".oft_blocks", zeros({3, 2, 2})}}, {layer, "[3, 2, 2]"});
    refuse("uneven blocks", {{layer + ".oft_blocks", zeros({2, 2, 3})}}, {layer, "square"});
    refuse("levels", {{layer + ".oft_blocks", zeros({4, 2, 2, 2})}}, {layer, "paired"});
    refuse("lengths",
           {{layer + ".lora_up.weight", zeros({4, 2})},
            {layer + ".lora_down.weight", zeros({2, 6})},
            {layer + ".dora_scale", zeros({1, 5})}},
           {layer, "lengths"});
    refuse("factors", {{layer + ".weight", zeros({5})}, {layer + ".on_input", zeros({})}}, {layer, "each input"});
    refuse("another bias", {{layer + ".diff", zeros({4, 6})}, {layer + ".diff_b", zeros({3})}}, {layer, "3 biases"});
    refuse("alpha",
           {{layer + ".lora_up.weight", zeros({4, 2})},
            {layer + ".lora_down.weight", zeros({2, 6})},
            {layer + ".alpha", zeros({2})}},
           {layer, "one number"});
    CHECK(!refusal(set, {{"gone", folder.file("gone.safetensors"), 1, 1, {}}}).empty());
    CHECK(sameBits(before, weightsOf(*layers)));
}

SG_CASE(what_matches_nothing_is_named)
{
    const Folder folder;
    const auto layers = freshLayers();
    AdapterSet set({{AdapterNetwork::Unet, layers}}, BaseFamily::Unknown);
    Tensors tensors = under("lora/a/");
    tensors["lora_unet_elsewhere.lora_up.weight"] = torch::ones({4, 2});
    tensors["lora_unet_elsewhere.lora_down.weight"] = torch::ones({2, 6});
    tensors["odd"] = torch::ones({1});
    const std::string path = folder.file("some.safetensors");
    test::writeTensors(path, tensors);
    const AdapterReport report = set.apply({{"some", path, 1, 1, {}}});
    CHECK(report.warnings.size() == 1);
    for (const std::string word : {"LoRA some", "2 of 5", "lora_unet_elsewhere", "odd"})
        if (report.warnings.empty() || report.warnings[0].find(word) == std::string::npos)
            test::failed(__FILE__, __LINE__,
                         "no " + word + " in: " + (report.warnings.empty() ? "" : report.warnings[0]));
    CHECK(set.apply({{"some", path, 1, 1, {}}}).warnings == report.warnings);
}

SG_CASE(a_whole_lora_equals_diffusers)
{
    const auto checkpoint = loadCheckpoint(kData + "/networks/sd1.safetensors", torch::kCPU, torch::kFloat32);
    const TensorFile io(kData + "/adapters/kohya_io.safetensors");
    const Tensors text = weightsOf(checkpoint->texts[0]->module()), unet = weightsOf(*checkpoint->unet);
    AdapterSet set({{AdapterNetwork::Text, {checkpoint->texts[0], &checkpoint->texts[0]->module()}},
                    {AdapterNetwork::Unet, checkpoint->unet.ptr()}},
                   BaseFamily::Sd1);
    const AdapterReport report = set.apply({{"kohya", kData + "/adapters/kohya.safetensors", .9, .6, {}}});
    CHECK(report.warnings.empty());
    CHECK(report.textChanged);
    const double inText = relativeError(checkpoint->texts[0]->encode(io.at("tokens")).rows, io.at("text"));
    const double inUnet =
        relativeError(checkpoint->unet->forward(io.at("x"), io.at("t"), io.at("context")).contiguous(), io.at("unet"));
    std::printf("     text %.1e, UNet %.1e\n", inText, inUnet);
    CHECK(inText <= 1e-4);
    CHECK(inUnet <= 1e-4);
    // What a plan says beforehand, from headers alone, is what has changed.
    std::uint64_t changed = 0;
    for (const auto &[before, module] :
         {std::pair<const Tensors &, torch::nn::Module &>(text, checkpoint->texts[0]->module()),
          {unet, *checkpoint->unet}})
        for (const auto &[name, tensor] : weightsOf(module))
            if (!at::equal(tensor, before.at(name))) changed += static_cast<std::uint64_t>(tensor.numel());
    const TensorIndex held = canonicalNames(*readModelFile(kData + "/networks/sd1.safetensors"));
    const TensorIndex adapter = *readModelFile(kData + "/adapters/kohya.safetensors");
    CHECK(changed > 1000 && changed == adaptedNumbers(held,
                                                      {{AdapterNetwork::Text, checkpoint->config.texts[0].prefix},
                                                       {AdapterNetwork::Unet, checkpoint->config.unetPrefix}},
                                                      {adapter}));
    set.apply({});
    CHECK(sameBits(text, weightsOf(checkpoint->texts[0]->module())));
    CHECK(sameBits(unet, weightsOf(*checkpoint->unet)));
}

// One LoRA in all the spellings of its layers' names (tests/parity/make_adapter_families.py).
SG_CASE(whole_loras_of_other_families_equal_diffusers)
{
    using Tables = std::vector<test::FilledCheckpoint::Table>;
    const Folder folder;
    for (const auto &[family, base, tables] :
         {std::tuple("sd1", BaseFamily::Sd1, Tables{}),
          {"sd2", BaseFamily::Sd2, Tables{{"cond_stage_model.model.token_embedding.weight", 8}}},
          {"sdxl", BaseFamily::Sdxl,
           Tables{{"conditioner.embedders.0.transformer.text_model.embeddings.token_embedding.weight", 8},
                  {"conditioner.embedders.1.model.token_embedding.weight", 12}}}}) {
        const std::string name = family;
        const test::FilledCheckpoint filled(kData + "/networks/" + name + ".safetensors", tables);
        const auto checkpoint = loadCheckpoint(filled.path(), torch::kCPU, torch::kFloat32);
        const TensorFile lora(kData + "/adapters/" + name + "_lora.safetensors");
        const TensorFile io(kData + "/adapters/" + name + "_lora_io.safetensors");
        const TensorFile texts(kData + "/networks/" + name + "_io.safetensors");  // sd1's tokens are its LoRA's
        std::vector<AdaptedNetwork> networks{{AdapterNetwork::Unet, checkpoint->unet.ptr()}};
        for (std::size_t i = 0; i < checkpoint->texts.size(); ++i)
            networks.push_back({i == 0 ? AdapterNetwork::Text : AdapterNetwork::Text2,
                                {checkpoint->texts[i], &checkpoint->texts[i]->module()}});
        std::vector<Tensors> before;
        for (const AdaptedNetwork &network : networks)
            before.push_back(weightsOf(*network.module));
        torch::Tensor vector;
        if (io.all().contains("pooled")) {
            const auto size = [&](std::int64_t n) {
                return static_cast<std::int64_t>(io.at("sizes")[n].item<float>());
            };
            vector = vectorConditioning(checkpoint->config, io.at("pooled"),
                                        {size(0), size(1), size(2), size(3), size(4), size(5), 0}, torch::kFloat);
        }
        AdapterSet set(networks, base);
        for (const char *style : {"kohya", "ldm", "diffusers", "peft"}) {
            const std::string path = folder.file(name + "_" + style);
            test::writeTensors(path, inStyle(lora, kData + "/adapters/" + name + "_names.txt", style));
            const AdapterReport report = set.apply({{style, path, .9, .6, {}}});
            CHECK(report.textChanged);
            if (!report.warnings.empty()) test::failed(style, 0, report.warnings[0]);
            double worst =
                relativeError(checkpoint->unet->forward(io.at("x"), io.at("t"), io.at("context"), vector).contiguous(),
                              io.at("out.unet"));
            for (std::size_t i = 0; i < checkpoint->texts.size(); ++i) {
                const std::string key = "text" + std::to_string(i) + ".";
                const TensorFile &source = family == std::string("sd1") ? io : texts;
                const EncodedText made = checkpoint->texts[i]->encode(source.at(key + "tokens"));
                worst = std::max(worst, relativeError(made.rows, io.at("out." + key + "rows")));
                if (made.pooled.defined())
                    worst = std::max(worst, relativeError(made.pooled, io.at("out." + key + "pooled")));
            }
            std::printf("     %s, %s: %.1e\n", family, style, worst);
            CHECK(worst <= 1e-4);
            set.apply({});
        }
        for (std::size_t i = 0; i < networks.size(); ++i)
            CHECK(sameBits(before[i], weightsOf(*networks[i].module)));
    }
}

SG_CASE(embeddings_take_their_rows)
{
    const Folder folder;
    const torch::Tensor small = torch::randn({2, 6}), left = torch::randn({3, 6}), right = torch::randn({3, 8});
    test::writeTensors(folder.file("one"), {{"emb_params", small}});
    test::writeTensors(folder.file("single"), {{"<thing>", small[0].clone()}});
    test::writeTensors(folder.file("xl"), {{"clip_l", left}, {"clip_g", right}});
    test::writeTensors(folder.file("uneven"), {{"clip_l", left}, {"clip_g", right.narrow(0, 0, 2).clone()}});
    test::writeTensors(folder.file("odd"), {{"a", left}, {"b", right}});

    EmbeddingSet sd1;
    bool changed = false;
    const std::vector<WantedEmbedding> files{
        {"one", folder.file("one")}, {"xl", folder.file("xl")}, {"single", folder.file("single")}};
    const std::vector<std::string> warnings = sd1.use(files, {6}, &changed);
    CHECK(changed && warnings.size() == 1 && warnings[0].find("xl") != std::string::npos &&
          warnings[0].find("6 and 8") != std::string::npos);
    CHECK(sd1.use(files, {6}, &changed) == warnings && !changed);
    CHECK(sd1.names().size() == 2 && sd1.names().vectors(0) == 2 && sd1.embedding(1).name == "single");
    const Expected<PromptChunks> chunks = chunkPrompt("a one single xl", {.embeddings = &sd1.names()});
    CHECK(chunks && chunks->chunks.size() == 1 && chunks->chunks[0].embeddings.size() == 2);
    const torch::Tensor words = torch::randn({1, 77, 6});
    const torch::Tensor placed = sd1.placed(words, chunks->chunks[0], 0);
    CHECK(at::equal(placed.narrow(1, 0, 2), words.narrow(1, 0, 2)));
    CHECK(at::equal(placed[0].narrow(0, 2, 2), small));
    CHECK(at::equal(placed[0][4], small[0]));
    CHECK(at::equal(placed.narrow(1, 5, 72), words.narrow(1, 5, 72)));

    EmbeddingSet sdxl;
    CHECK(sdxl.use({{"xl", folder.file("xl")}}, {6, 8}).empty());
    PromptChunk last;
    last.embeddings = {{75, 0}};  // only two rows are left
    CHECK(at::equal(sdxl.placed(torch::zeros({1, 77, 8}), last, 1)[0].narrow(0, 75, 2), right.narrow(0, 0, 2)));
    CHECK(at::equal(sdxl.placed(torch::zeros({1, 77, 6}), last, 0)[0].narrow(0, 75, 2), left.narrow(0, 0, 2)));
    // One that cannot be read is text, and takes no other with it.
    for (const auto &[name, why] :
         {std::pair("uneven", "different numbers"), {"odd", "no tensor of it"}, {"gone", "gone"}}) {
        const std::vector<std::string> said = sdxl.use({{name, folder.file(name)}, {"xl", folder.file("xl")}}, {6, 8});
        CHECK(said.size() == 1 && said[0].find(name) != std::string::npos && said[0].find(why) != std::string::npos);
        CHECK(sdxl.names().size() == 1 && sdxl.embedding(0).name == "xl");
    }
}

// diffusers' names of all layers of real networks, as its own conversion of whole checkpoints has them.
SG_CASE(layer_names_are_diffusers)
{
    for (const char *name : {"sd1", "sdxl"}) {
        std::ifstream file(kData + "/adapters/" + name + "_layers.txt");
        std::vector<std::array<std::string, 3>> rows;  // kohya's, diffusers', the checkpoint's
        for (std::array<std::string, 3> row; file >> row[0] >> row[1] >> row[2];)
            rows.push_back(row);
        CHECK(rows.size() > 250);
        std::vector<std::string> parameters;
        for (const auto &row : rows)
            parameters.push_back(row[2] + ".weight");
        AdapterLayers layers;
        layers.add(AdapterNetwork::Unet, parameters);
        std::size_t wrong = 0;
        for (const auto &[kohya, dotted, own] : rows)
            for (const std::string &spelling :
                 {kohya, dotted, "unet." + dotted, "diffusion_model." + own, "lora_unet_" + [text = own]() mutable {
                      std::replace(text.begin(), text.end(), '.', '_');
                      return text;
                  }()}) {
                const AdapterTarget *found = layers.find(spelling);
                if ((!found || found->weight != own + ".weight") && ++wrong < 5)
                    test::failed(__FILE__, __LINE__, spelling + " is " + (found ? found->weight : "nothing"));
            }
        CHECK(wrong == 0);
    }
}

int main(int count, char **names)
{
    const c10::InferenceMode mode;
    at::set_num_threads(1);
    return sg::test::runCases(count, names);
}
