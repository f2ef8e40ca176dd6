#pragma once

#include "ui/generate/param_model.h"

#include <QString>

class QWidget;

namespace sg::ui {

/// Makes the widget that a row of the parameter table asks for, and keeps it and the model equal: a row needs no code
/// of its own.
class ParamBinder {
public:
    explicit ParamBinder(ParamModel &model) : m_model(&model) {}

    /// Range, step, unit, help and accessible name come from the row.
    QWidget *makeEditor(const ParamSpec &spec, QWidget *parent) const;

private:
    QWidget *makeFlag(const ParamSpec &spec, QWidget *parent) const;
    QWidget *makeInteger(const ParamSpec &spec, QWidget *parent) const;
    QWidget *makeNamed(const ParamSpec &spec, QWidget *parent) const;
    QWidget *makeLong(const ParamSpec &spec, QWidget *parent) const;
    QWidget *makeNumber(const ParamSpec &spec, QWidget *parent) const;
    QWidget *makeText(const ParamSpec &spec, QWidget *parent) const;
    QWidget *makeChoice(const ParamSpec &spec, QWidget *parent) const;
    QWidget *makePrompt(const ParamSpec &spec, QWidget *parent) const;

    ParamModel *m_model;
};

}  // namespace sg::ui
