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
