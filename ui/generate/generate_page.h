#pragma once

#include "core/base/error.h"
#include "ui/client/api_types.h"
#include "ui/generate/generation_queue.h"
#include "ui/generate/param_model.h"

#include <QWidget>

#include <vector>

class QSplitter;

namespace sg::ui {

class ApiClient;
class MessageBar;
class ParamForm;
class PicturePanel;
class ProgressPanel;

/// The Generate page: form on the left, picture on the right.
class GeneratePage final : public QWidget {
    Q_OBJECT
public:
    GeneratePage(ApiClient &client, ParamTable table, QWidget *parent = nullptr);

    ParamModel &parameters() { return *m_parameters; }
    ParamForm &form() { return *m_form; }
    PicturePanel &pictures() { return *m_pictures; }
    MessageBar &messages() { return *m_messages; }
    GenerationQueue &queue() { return *m_queue; }
    QSplitter *splitter() const { return m_splitter; }

    void setModels(const std::vector<ModelInfo> &models);
    void useModel(const QString &name);
    void showError(const Error &error);

    /// Takes the parameters that a picture's file carries; models that are not here are left out.
    void restoreFrom(const QString &path);

public Q_SLOTS:
    void generate();
    void interrupt();
    void interruptAll();

Q_SIGNALS:
    void modelsWanted();  ///< the empty state's button: show where models are added
    void happened(const QString &message);

protected:
    void dragEnterEvent(QDragEnterEvent *event) override;
    void dropEvent(QDropEvent *event) override;

private:
    void makeLayout();
    void takeInfotext(const QString &infotext, const QString &file);
    void wireQueue();
    void refreshObstacle();
    void showSeed();

    ParamModel *m_parameters;
    GenerationQueue *m_queue;
    QSplitter *m_splitter;
    ParamForm *m_form;
    ProgressPanel *m_progress;
    PicturePanel *m_pictures;
    MessageBar *m_messages;
    std::vector<ModelInfo> m_models;
    bool m_modelsKnown = false;
};

}  // namespace sg::ui
