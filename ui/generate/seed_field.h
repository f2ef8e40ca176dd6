#pragma once

#include <QWidget>

#include <cstdint>
#include <optional>

class QToolButton;

namespace sg::ui {

class ParamModel;

/// The seed's editor with three buttons: lock (keep this seed; open takes a new one for each picture), dice (another
/// seed now), and the seed of the picture that is shown.
class SeedField final : public QWidget {
    Q_OBJECT
public:
    SeedField(ParamModel &model, QWidget *editor, QWidget *parent = nullptr);

    void setLastSeed(std::optional<std::int64_t> seed);

private:
    void refresh();

    ParamModel &m_model;
    QToolButton *m_lock;
    QToolButton *m_dice;
    QToolButton *m_reuse;
    std::optional<std::int64_t> m_last;
};

}  // namespace sg::ui
