#pragma once

#include "ui/client/api_types.h"
#include "ui/generate/param_model.h"

#include <QComboBox>

#include <string>
#include <vector>

namespace sg::ui {

/// Chooses one of the server's checkpoints; typing searches in the names. A chosen model brings its native size where
/// the user has set none.
class ModelChooser final : public QComboBox {
    Q_OBJECT
public:
    ModelChooser(ParamModel &model, std::string key, QWidget *parent = nullptr);

    /// All models as GET /models lists them; takes the usable checkpoints. With nothing chosen by the user yet, takes
    /// the starter or the first. The user's choice stays while it is not there: its disk may come back.
    void setModels(const std::vector<ModelInfo> &models);
    bool hasModels() const { return count() > 0; }
    /// The name of the user's choice, when there is no such model now; otherwise empty.
    QString missing() const;

    void choose(const QString &name, ParamModel::By by);

protected:
    void focusOutEvent(QFocusEvent *event) override;

private:
    void refresh();
    void takeNativeSize(const QString &name);

    ParamModel &m_model;
    std::string m_key;
    std::vector<ModelInfo> m_models;
};

}  // namespace sg::ui
