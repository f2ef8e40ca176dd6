#pragma once

#include <QString>

namespace sg::ui {

/// How much of the text encoder's rows a prompt fills.
struct TokenCount {
    int tokens = 0;
    int capacity = 75;  ///< 75 for each chunk in use
    QString problem;    ///< why the prompt cannot be read, with the place; English. Empty: it can
};

/// Thread  any; the first call reads the vocabulary (tens of milliseconds), so not the main one.
TokenCount countPromptTokens(const QString &prompt);

}  // namespace sg::ui
