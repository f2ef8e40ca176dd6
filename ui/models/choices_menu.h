#pragma once

#include "ui/client/api_types.h"

#include <QMenu>

namespace sg::ui {

/// What the user says of a checkpoint: family, prediction, zero terminal SNR, EMA weights. One submenu each; the first
/// entry of each leaves it to what the file says.
class ChoicesMenu final : public QMenu {
    Q_OBJECT
public:
    explicit ChoicesMenu(QWidget *parent = nullptr);

    void show(const ModelInfo &model);

Q_SIGNALS:
    void chosen(const QString &model, const sg::Json &choices);

private:
    struct Entry {
        QString text;
        Json value;
    };
    void addGroup(const QString &title, const char *key, const std::vector<Entry> &entries);

    QString m_model;
    Json m_choices;
};

}  // namespace sg::ui
