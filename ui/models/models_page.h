#pragma once

#include "ui/client/api_types.h"

#include <QWidget>

class QComboBox;
class QLabel;
class QLineEdit;
class QMenu;
class QProgressBar;
class QPushButton;
class QStackedWidget;
class QTableView;

namespace sg::ui {

class ChoicesMenu;
class EmptyState;
class MessageBar;
class ModelStore;
class ModelsFilter;
class ModelsModel;

/// The Models page: what lies in the model folders, and the folders themselves.
class ModelsPage final : public QWidget {
    Q_OBJECT
public:
    explicit ModelsPage(ModelStore &store, QWidget *parent = nullptr);

    MessageBar &messages() { return *m_messages; }
    QTableView *table() const { return m_table; }
    QByteArray saveColumns() const;
    void restoreColumns(const QByteArray &state);

public Q_SLOTS:
    void addFolder();
    void addFile();

Q_SIGNALS:
    void useRequested(const QString &name);

protected:
    void dragEnterEvent(QDragEnterEvent *event) override;
    void dropEvent(QDropEvent *event) override;
    void showEvent(QShowEvent *event) override;
    void hideEvent(QHideEvent *event) override;

private:
    QWidget *makeTools();
    void makeTable();
    QWidget *makeFooter();
    void showModels(const std::vector<ModelInfo> &models);
    void showFolders(const FolderState &folders);
    void refreshActions();
    void refreshCount();
    void reveal();
    void use();
    const ModelInfo *selected() const;

    ModelStore &m_store;
    ModelsModel *m_model;
    ModelsFilter *m_filter;
    MessageBar *m_messages;
    QStackedWidget *m_stack;
    QTableView *m_table;
    EmptyState *m_empty;
    QLineEdit *m_search = nullptr;
    QComboBox *m_types = nullptr;
    QPushButton *m_use = nullptr;
    QPushButton *m_reveal = nullptr;
    QPushButton *m_choose = nullptr;
    ChoicesMenu *m_choices = nullptr;
    QPushButton *m_folders = nullptr;
    QMenu *m_folderMenu = nullptr;
    QProgressBar *m_scanBar = nullptr;
    QLabel *m_count = nullptr;
    FolderState m_folderState;
};

}  // namespace sg::ui
