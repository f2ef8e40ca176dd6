#include "core/diffusion/pipeline/model_family.h"

#include "core/base/or_throw.h"

#include <algorithm>
#include <string>
#include <utility>

namespace sg {
namespace {

using sampling::Prediction;

constexpr std::int64_t kEndMark = 49407;
constexpr double kFirstScale = 0.18215;  // of Stable Diffusion 1 and 2
constexpr double kXlScale = 0.13025;

// Least squares over pictures and their latents: the values that ComfyUI (SD1) and A1111 (SDXL) use for previews.
const LatentRgb kFirstRgb{{0.3512f, 0.2297f, 0.3227f},
                          {0.3250f, 0.4974f, 0.2350f},
                          {-0.2829f, 0.1762f, 0.2721f},
                          {-0.2120f, -0.2616f, -0.7177f}};
const LatentRgb kXlRgb{{0.3448f, 0.4168f, 0.4395f},
                       {-0.1953f, -0.0290f, 0.0250f},
                       {0.1074f, 0.0886f, -0.0163f},
                       {-0.3730f, -0.2499f, -0.2088f}};

const ClipReading kVitL1{.skip = 1, .finalNorm = true, .pooled = false, .takesClipSkip = true, .padToken = kEndMark};
const ClipReading kVitLXl{.skip = 2, .finalNorm = false, .pooled = false, .takesClipSkip = false, .padToken = kEndMark};
const ClipReading kVitH{.skip = 2, .finalNorm = true, .pooled = false, .takesClipSkip = false, .padToken = 0};
const ClipReading kBigG{.skip = 2, .finalNorm = false, .pooled = true, .takesClipSkip = false, .padToken = 0};

bool has(const TensorIndex &index, const TextPlace &place)
{
    return std::any_of(place.prefixes.begin(), place.prefixes.end(),
                       [&](std::string_view prefix) { return index.hasPrefix(prefix); });
}

}  // namespace

std::int64_t sizeNumberCount(SizeNumbers numbers)
{
    switch (numbers) {
    case SizeNumbers::Sizes:
        return 6;
    case SizeNumbers::Aesthetic:
        return 5;
    case SizeNumbers::None:
        break;
    }
    return 0;
}

const std::vector<ModelFamily> &modelFamilies()
{
    static const std::vector<ModelFamily> families{
        {BaseFamily::Sd1,
         "sd1",
         "Stable Diffusion 1",
         Prediction::Eps,
         false,
         kFirstScale,
         kFirstRgb,
         // Some early files lack one part of the name; those of Stability's later trainer are told apart by the user.
         {{{"cond_stage_model.transformer.text_model.", "cond_stage_model.transformer.",
            "conditioner.embedders.0.transformer.text_model."},
           kVitL1,
           12}},
         SizeNumbers::None,
         true,
         false},
        {BaseFamily::Sd2,
         "sd2",
         "Stable Diffusion 2",
         Prediction::Eps,
         true,
         kFirstScale,
         kFirstRgb,
         {{{"cond_stage_model.model.", "conditioner.embedders.0.model."}, kVitH, 24}},
         SizeNumbers::None,
         true,
         false},
        {BaseFamily::Sdxl,
         "sdxl",
         "Stable Diffusion XL",
         Prediction::Eps,
         false,
         kXlScale,
         kXlRgb,
         {{{"conditioner.embedders.0.transformer.text_model."}, kVitLXl, 12},
          {{"conditioner.embedders.1.model."}, kBigG, 32}},
         SizeNumbers::Sizes,
         false,
         true},
        {BaseFamily::Sdxl,
         "sdxl-refiner",
         "Stable Diffusion XL refiner",
         Prediction::Eps,
         false,
         kXlScale,
         kXlRgb,
         {{{"conditioner.embedders.0.model."}, kBigG, 32}},
         SizeNumbers::Aesthetic,
         false,
         true},
    };
    return families;
}

const ModelFamily &chosenFamily(std::string_view name)
{
    for (const ModelFamily &family : modelFamilies())
        if (family.name == name) return family;
    throwUnusable("there is no family \"" + std::string(name) + "\"", "family");
}

std::string_view familyTitle(BaseFamily base)
{
    for (const ModelFamily &family : modelFamilies())
        if (family.base == base) return family.title;
    return "no known family";
}

std::string missingTexts(const TensorIndex &index, const ModelFamily &family)
{
    std::string missing;
    for (const TextPlace &place : family.texts)
        if (!has(index, place)) missing += (missing.empty() ? "" : ", ") + std::string(place.prefixes.front()) + "*";
    return missing;
}

const ModelFamily &findFamily(const TensorIndex &index, const ModelDescription &what)
{
    const ModelFamily *nearest = nullptr;
    std::ptrdiff_t most = -1;
    for (const ModelFamily &family : modelFamilies()) {
        if (family.base != what.family) continue;
        const auto found = std::count_if(family.texts.begin(), family.texts.end(),
                                         [&](const TextPlace &place) { return has(index, place); });
        if (found == static_cast<std::ptrdiff_t>(family.texts.size())) return family;
        if (found > most) {
            nearest = &family;
            most = found;
        }
    }
    if (!nearest)
        throwUnusable("is a checkpoint of family \"" + std::string(familyName(what.family)) +
                          "\", which is not supported (" + what.reason + ")",
                      index.path());
    throwUnusable("is half of a " + std::string(nearest->title) + " checkpoint: it has no text encoder under " +
                      missingTexts(index, *nearest) + " (" + what.reason + ")",
                  index.path());
}

}  // namespace sg
