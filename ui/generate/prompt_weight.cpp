#include "ui/generate/prompt_weight.h"

#include <algorithm>
#include <cmath>

namespace sg::ui {
namespace {

using namespace Qt::Literals::StringLiterals;

struct Block {
    qsizetype open = -1;  ///< position of '('
    qsizetype colon = -1;
    qsizetype close = -1;  ///< position of ')'
    double weight = 1;
};

/// The "(…:number)" that begins at `open`, if there is one there.
Block blockAt(const QString &text, qsizetype open)
{
    int depth = 0;
    for (qsizetype at = open; at < text.size(); ++at) {
        if (text[at] == u'\\') {
            ++at;
        } else if (text[at] == u'(') {
            ++depth;
        } else if (text[at] == u')' && --depth == 0) {
            const qsizetype colon = text.lastIndexOf(u':', at);
            if (colon < open) return {};
            bool ok = false;
            const double weight = QStringView(text).mid(colon + 1, at - colon - 1).trimmed().toDouble(&ok);
            return ok ? Block{open, colon, at, weight} : Block{};
        }
    }
    return {};
}

/// The innermost weighted block around [begin, end).
Block blockAround(const QString &text, qsizetype begin, qsizetype end)
{
    const qsizetype from = begin < end && begin < text.size() && text[begin] == u'(' ? begin : begin - 1;
    for (qsizetype open = from < 0 ? -1 : text.lastIndexOf(u'(', from); open >= 0;
         open = open == 0 ? -1 : text.lastIndexOf(u'(', open - 1)) {
        const Block block = blockAt(text, open);
        if (block.open >= 0 && block.close + 1 >= end) return block;
    }
    return {};
}

bool separates(QChar character)
{
    return character.isSpace() || u",.;()[]<>|:"_s.contains(character);
}

void selectWord(PromptSelection &prompt)
{
    while (prompt.begin > 0 && !separates(prompt.text[prompt.begin - 1]))
        --prompt.begin;
    while (prompt.end < prompt.text.size() && !separates(prompt.text[prompt.end]))
        ++prompt.end;
}

QString weightText(double weight)
{
    return QString::number(std::round(weight * 100) / 100);
}

}  // namespace

PromptSelection adjustWeight(PromptSelection prompt, double delta)
{
    const Block block = blockAround(prompt.text, prompt.begin, prompt.end);
    if (block.open >= 0) {
        const double weight = std::clamp(block.weight + delta, 0.0, 10.0);
        const QString inner = prompt.text.mid(block.open + 1, block.colon - block.open - 1);
        const bool plain = std::abs(weight - 1) < 0.005;
        const QString now = plain ? inner : u"(%1:%2)"_s.arg(inner, weightText(weight));
        prompt.text.replace(block.open, block.close - block.open + 1, now);
        prompt.begin = block.open + (plain ? 0 : 1);
        prompt.end = prompt.begin + inner.size();
        return prompt;
    }
    if (prompt.begin == prompt.end) selectWord(prompt);
    while (prompt.end > prompt.begin && prompt.text[prompt.end - 1].isSpace())
        --prompt.end;
    if (prompt.begin >= prompt.end) return prompt;
    const QString inner = prompt.text.mid(prompt.begin, prompt.end - prompt.begin);
    prompt.text.replace(prompt.begin, inner.size(), u"(%1:%2)"_s.arg(inner, weightText(1 + delta)));
    prompt.begin += 1;
    prompt.end = prompt.begin + inner.size();
    return prompt;
}

}  // namespace sg::ui
