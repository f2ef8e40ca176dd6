#include "ui/generate/param_texts.h"

#include <QCoreApplication>

namespace sg::ui {
namespace {

// The table's English, so that lupdate finds it (core has no Qt); tests/ui/translation_test compares it with the table.
[[maybe_unused]] const char *const kTexts[] = {
    QT_TRANSLATE_NOOP("Parameters", "Prompt"),
    QT_TRANSLATE_NOOP("Parameters", "What the picture shows. (word:1.2) weighs more, [word] less."),
    QT_TRANSLATE_NOOP("Parameters", "Negative prompt"),
    QT_TRANSLATE_NOOP("Parameters", "What the picture should not show."),
    QT_TRANSLATE_NOOP("Parameters", "Model"),
    QT_TRANSLATE_NOOP("Parameters", "The checkpoint that draws."),
    QT_TRANSLATE_NOOP("Parameters", "Sampler"),
    QT_TRANSLATE_NOOP("Parameters", "How noise is taken away, step by step."),
    QT_TRANSLATE_NOOP("Parameters", "Schedule"),
    QT_TRANSLATE_NOOP("Parameters", "How the noise levels are spread over the steps."),
    QT_TRANSLATE_NOOP("Parameters", "Steps"),
    QT_TRANSLATE_NOOP("Parameters", "More steps take longer and change less and less."),
    QT_TRANSLATE_NOOP("Parameters", "CFG scale"),
    QT_TRANSLATE_NOOP("Parameters", "How closely the picture follows the prompt; 1 switches guidance off."),
    QT_TRANSLATE_NOOP("Parameters", "Width"),
    QT_TRANSLATE_NOOP("Parameters", "Width of the picture."),
    QT_TRANSLATE_NOOP("Parameters", "Height"),
    QT_TRANSLATE_NOOP("Parameters", "Height of the picture."),
    QT_TRANSLATE_NOOP("Parameters", "Seed"),
    QT_TRANSLATE_NOOP("Parameters", "The same seed and parameters give the same picture; -1 takes a new one."),
    QT_TRANSLATE_NOOP("Parameters", "Variation seed"),
    QT_TRANSLATE_NOOP("Parameters", "The seed that a variation moves towards; -1 takes a new one."),
    QT_TRANSLATE_NOOP("Parameters", "Variation strength"),
    QT_TRANSLATE_NOOP("Parameters", "0 is the seed's picture, 1 the variation seed's."),
    QT_TRANSLATE_NOOP("Parameters", "Batch size"),
    QT_TRANSLATE_NOOP("Parameters", "Pictures computed together."),
    QT_TRANSLATE_NOOP("Parameters", "Batch count"),
    QT_TRANSLATE_NOOP("Parameters", "How often the batch is repeated."),
    QT_TRANSLATE_NOOP("Parameters", "Eta"),
    QT_TRANSLATE_NOOP("Parameters",
                      "Noise added again at each step; -1 is the sampler's own: 1 for ancestral ones, 0 for DDIM."),
    QT_TRANSLATE_NOOP("Parameters", "Eta of ancestral samplers"),
    QT_TRANSLATE_NOOP("Parameters", "What Eta -1 means for samplers that add noise."),
    QT_TRANSLATE_NOOP("Parameters", "Eta of DDIM"),
    QT_TRANSLATE_NOOP("Parameters", "What Eta -1 means for DDIM."),
    QT_TRANSLATE_NOOP("Parameters", "Sigma churn"),
    QT_TRANSLATE_NOOP("Parameters", "Noise added back before each step of Euler, Heun and DPM2."),
    QT_TRANSLATE_NOOP("Parameters", "Sigma tmin"),
    QT_TRANSLATE_NOOP("Parameters", "Churn only above this noise level."),
    QT_TRANSLATE_NOOP("Parameters", "Sigma tmax"),
    QT_TRANSLATE_NOOP("Parameters", "Churn only below this noise level; 0 has no limit."),
    QT_TRANSLATE_NOOP("Parameters", "Sigma noise"),
    QT_TRANSLATE_NOOP("Parameters", "How strong the added noise is."),
    QT_TRANSLATE_NOOP("Parameters", "Schedule min sigma"),
    QT_TRANSLATE_NOOP("Parameters", "The lowest noise level; 0 is the model's own."),
    QT_TRANSLATE_NOOP("Parameters", "Schedule max sigma"),
    QT_TRANSLATE_NOOP("Parameters", "The highest noise level; 0 is the model's own."),
    QT_TRANSLATE_NOOP("Parameters", "Schedule rho"),
    QT_TRANSLATE_NOOP("Parameters", "How the Karras and Polyexponential schedules bend; 0 is their own."),
    QT_TRANSLATE_NOOP("Parameters", "Beta schedule alpha"),
    QT_TRANSLATE_NOOP("Parameters", "First number of the Beta schedule."),
    QT_TRANSLATE_NOOP("Parameters", "Beta schedule beta"),
    QT_TRANSLATE_NOOP("Parameters", "Second number of the Beta schedule."),
    QT_TRANSLATE_NOOP("Parameters", "Discard penultimate sigma"),
    QT_TRANSLATE_NOOP("Parameters", "Leaves the lowest noise level of the schedule out."),
    QT_TRANSLATE_NOOP("Parameters", "SGM noise multiplier"),
    QT_TRANSLATE_NOOP("Parameters", "Starts from slightly more noise, as SDXL was trained."),
    QT_TRANSLATE_NOOP("Parameters", "UniPC order"),
    QT_TRANSLATE_NOOP("Parameters", "How many steps UniPC looks back."),
    QT_TRANSLATE_NOOP("Parameters", "Random numbers"),
    QT_TRANSLATE_NOOP("Parameters",
                      "CPU draws the same everywhere; NV draws an NVIDIA GPU's numbers on any machine."),
    QT_TRANSLATE_NOOP("Parameters", "ENSD"),
    QT_TRANSLATE_NOOP("Parameters", "Added to the seed of the noise that samplers add."),
    QT_TRANSLATE_NOOP("Parameters", "Resize seed from width"),
    QT_TRANSLATE_NOOP("Parameters", "Keeps the composition of this width; 0 or -1 is off."),
    QT_TRANSLATE_NOOP("Parameters", "Resize seed from height"),
    QT_TRANSLATE_NOOP("Parameters", "Keeps the composition of this height; 0 or -1 is off."),
    QT_TRANSLATE_NOOP("Parameters", "Automatic"),
    QT_TRANSLATE_NOOP("Parameters", "Uniform"),
    QT_TRANSLATE_NOOP("Parameters", "Karras"),
    QT_TRANSLATE_NOOP("Parameters", "Exponential"),
};

QString translated(const std::string &text)
{
    return text.empty() ? QString() : QCoreApplication::translate("Parameters", text.c_str());
}

}  // namespace

QString labelOf(const ParamSpec &spec)
{
    return translated(spec.label);
}

QString helpOf(const ParamSpec &spec)
{
    return translated(spec.help);
}

QString choiceText(const std::string &choice)
{
    return translated(choice);
}

QString unitOf(const ParamSpec &spec)
{
    return spec.unit.empty() ? QString() : QLatin1Char(' ') + translated(spec.unit);
}

}  // namespace sg::ui
