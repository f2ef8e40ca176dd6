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
    QT_TRANSLATE_NOOP("Parameters", "Start picture"),
    QT_TRANSLATE_NOOP("Parameters", "The picture that the drawing starts from; several are drawn as one batch."),
    QT_TRANSLATE_NOOP("Parameters", "Denoising strength"),
    QT_TRANSLATE_NOOP("Parameters", "How far the result may move away from the start: 0 keeps it, 1 forgets it."),
    QT_TRANSLATE_NOOP("Parameters", "Resize mode"),
    QT_TRANSLATE_NOOP("Parameters", "What happens to a start picture of another shape."),
    QT_TRANSLATE_NOOP("Parameters", "Just resize"),
    QT_TRANSLATE_NOOP("Parameters", "Crop and resize"),
    QT_TRANSLATE_NOOP("Parameters", "Resize and fill"),
    QT_TRANSLATE_NOOP("Parameters", "Just resize (latent upscale)"),
    QT_TRANSLATE_NOOP("Parameters", "Mask"),
    QT_TRANSLATE_NOOP("Parameters", "White is drawn anew, black stays; of the start picture's size."),
    QT_TRANSLATE_NOOP("Parameters", "Mask blur"),
    QT_TRANSLATE_NOOP("Parameters", "How softly the mask ends."),
    QT_TRANSLATE_NOOP("Parameters", "Mask blur, across"),
    QT_TRANSLATE_NOOP("Parameters", "Of its own for this direction; -1 is the mask blur."),
    QT_TRANSLATE_NOOP("Parameters", "Mask blur, down"),
    QT_TRANSLATE_NOOP("Parameters", "Mask mode"),
    QT_TRANSLATE_NOOP("Parameters", "Which part is drawn anew."),
    QT_TRANSLATE_NOOP("Parameters", "Inpaint masked"),
    QT_TRANSLATE_NOOP("Parameters", "Inpaint not masked"),
    QT_TRANSLATE_NOOP("Parameters", "Masked content"),
    QT_TRANSLATE_NOOP("Parameters", "What the masked part is filled with before drawing."),
    QT_TRANSLATE_NOOP("Parameters", "Fill"),
    QT_TRANSLATE_NOOP("Parameters", "Original"),
    QT_TRANSLATE_NOOP("Parameters", "Latent noise"),
    QT_TRANSLATE_NOOP("Parameters", "Latent nothing"),
    QT_TRANSLATE_NOOP("Parameters", "Only the masked area"),
    QT_TRANSLATE_NOOP("Parameters", "Draws the masked part alone at the full size and puts it back."),
    QT_TRANSLATE_NOOP("Parameters", "Padding"),
    QT_TRANSLATE_NOOP("Parameters", "How much of its surroundings that part sees."),
    QT_TRANSLATE_NOOP("Parameters", "Hard mask in the latents"),
    QT_TRANSLATE_NOOP("Parameters", "Off lets half-masked places be drawn half."),
    QT_TRANSLATE_NOOP("Parameters", "Noise multiplier"),
    QT_TRANSLATE_NOOP("Parameters", "Scales the noise that is laid on the start."),
    QT_TRANSLATE_NOOP("Parameters", "Extra noise"),
    QT_TRANSLATE_NOOP("Parameters", "Noise laid on beyond what the strength asks for."),
    QT_TRANSLATE_NOOP("Parameters", "Colours of the start picture"),
    QT_TRANSLATE_NOOP("Parameters", "The result gets the colours of the start picture back."),
    QT_TRANSLATE_NOOP("Parameters", "Exactly the steps asked for"),
    QT_TRANSLATE_NOOP("Parameters", "Otherwise only the strength's share of them is made."),
    QT_TRANSLATE_NOOP("Parameters", "Hires fix"),
    QT_TRANSLATE_NOOP("Parameters", "Draws small first, then larger from there."),
    QT_TRANSLATE_NOOP("Parameters", "Hires sampler"),
    QT_TRANSLATE_NOOP("Parameters", "Sampler of the second pass."),
    QT_TRANSLATE_NOOP("Parameters", "Hires prompt"),
    QT_TRANSLATE_NOOP("Parameters", "Of the second pass; empty is the prompt."),
    QT_TRANSLATE_NOOP("Parameters", "Hires negative prompt"),
    QT_TRANSLATE_NOOP("Parameters", "Of the second pass; empty is the negative prompt."),
    QT_TRANSLATE_NOOP("Parameters", "Hires schedule"),
    QT_TRANSLATE_NOOP("Parameters", "Schedule of the second pass."),
    QT_TRANSLATE_NOOP("Parameters", "Hires factor"),
    QT_TRANSLATE_NOOP("Parameters", "How much larger the second pass draws."),
    QT_TRANSLATE_NOOP("Parameters", "Hires width"),
    QT_TRANSLATE_NOOP("Parameters", "Instead of the factor; 0 keeps the proportions."),
    QT_TRANSLATE_NOOP("Parameters", "Hires height"),
    QT_TRANSLATE_NOOP("Parameters", "Hires steps"),
    QT_TRANSLATE_NOOP("Parameters", "Of the second pass; 0 is as many as the first."),
    QT_TRANSLATE_NOOP("Parameters", "Hires upscaler"),
    QT_TRANSLATE_NOOP("Parameters", "How the small picture or its latents are made larger."),
    QT_TRANSLATE_NOOP("Parameters", "Latent"),
    QT_TRANSLATE_NOOP("Parameters", "Latent (antialiased)"),
    QT_TRANSLATE_NOOP("Parameters", "Latent (bicubic)"),
    QT_TRANSLATE_NOOP("Parameters", "Latent (bicubic antialiased)"),
    QT_TRANSLATE_NOOP("Parameters", "Latent (nearest)"),
    QT_TRANSLATE_NOOP("Parameters", "Latent (nearest-exact)"),
    QT_TRANSLATE_NOOP("Parameters", "None"),
    QT_TRANSLATE_NOOP("Parameters", "Lanczos"),
    QT_TRANSLATE_NOOP("Parameters", "Nearest"),
    QT_TRANSLATE_NOOP("Parameters", "Use same sampler"),
    QT_TRANSLATE_NOOP("Parameters", "Use same scheduler"),
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
