#pragma once

#include "ui/client/api_types.h"
#include "ui/generate/param_model.h"

#include <QHash>
#include <QWidget>

#include <optional>
#include <vector>

class QToolButton;
class QVBoxLayout;

namespace sg::ui {

class ModelChooser;
class SeedField;

/// The form of the Generate page, built from the parameter table: group after group, two fields in a row, rarely used
/// ones folded away, and image-to-image and hires fix in folds of their own. A row that is added to the table appears
/// in its group without code here.
class ParamForm final : public QWidget {
    Q_OBJECT
public:
    explicit ParamForm(ParamModel &model, QWidget *parent = nullptr);

    QWidget *editor(const QString &key) const { return m_editors.value(key); }
    ModelChooser *modelChooser() const;
    /// All models as GET /models lists them: choices that are files become those.
    void setModels(const std::vector<ModelInfo> &models);

    /// Marks the field that an error is about (and unfolds and focuses it); an unknown key marks none. Empty takes the
    /// mark away.
    bool markInvalid(const QString &key);
    void setLastSeed(std::optional<std::int64_t> seed);
    /// Takes a picture as the start of image-to-image and unfolds that group.
    void startFrom(const QByteArray &file, const QString &name);

Q_SIGNALS:
    void filesDropped(const QStringList &paths);
    void failed(const sg::Error &error);

private:
    void build();
    void addPrompt(const ParamSpec &spec, QVBoxLayout *column);
    QWidget *makeField(const ParamSpec &spec);
    void addGroup(const std::vector<const ParamSpec *> &specs, QVBoxLayout *column);
    QWidget *makeSizeRow(const ParamSpec &width, const ParamSpec &height);
    void addFold(const QString &name, const QString &title, const std::vector<const ParamSpec *> &specs,
                 QVBoxLayout *column);
    void showWhatApplies();

    ParamModel &m_model;
    QWidget *m_content = nullptr;
    struct Fold {
        QWidget *content;
        QToolButton *button;
    };
    QHash<QString, Fold> m_folds;
    QSet<QString> m_open;  // folds that stay open when the form is built anew
    SeedField *m_seed = nullptr;
    QHash<QString, QWidget *> m_editors;
    QWidget *m_invalid = nullptr;
    std::optional<std::int64_t> m_lastSeed;
};

}  // namespace sg::ui
