#pragma once

#include <QString>

namespace sg::ui {

/// A text and the selection in it (equal positions: a cursor), counted in UTF-16 units as QTextCursor does.
struct PromptSelection {
    QString text;
    qsizetype begin = 0;
    qsizetype end = 0;
};

/// Ctrl+Up and Ctrl+Down: adds `delta` to the weight of the selection, of the "(…:1.2)" around the cursor or of the
/// word at it. "word" becomes "(word:1.1)"; a weight of 1 takes the brackets away again. Weights stay within 0 and 10.
PromptSelection adjustWeight(PromptSelection prompt, double delta);

}  // namespace sg::ui
