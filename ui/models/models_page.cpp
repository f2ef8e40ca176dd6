#include "ui/models/models_page.h"

#include "ui/client/error_text.h"
#include "ui/models/choices_menu.h"
#include "ui/models/model_store.h"
#include "ui/models/models_filter.h"
#include "ui/models/models_model.h"
#include "ui/widgets/empty_state.h"
#include "ui/widgets/icons.h"
#include "ui/widgets/list_tools.h"
#include "ui/widgets/message_bar.h"

#include <QComboBox>
#include <QDesktopServices>
#include <QDir>
#include <QDragEnterEvent>
#include <QFileDialog>
#include <QFileInfo>
#include <QHBoxLayout>
#include <QHeaderView>
#include <QLabel>
#include <QLineEdit>
#include <QMenu>
#include <QMimeData>
#include <QProgressBar>
#include <QPushButton>
#include <QStackedWidget>
#include <QTableView>
#include <QUrl>
#include <QVBoxLayout>

namespace sg::ui {
namespace {

using namespace Qt::Literals::StringLiterals;

QStringList localPaths(const QMimeData *data)
{
    QStringList paths;
    for (const QUrl &url : data->urls())
        if (url.isLocalFile()) paths.append(url.toLocalFile());
    return paths;
}

}  // namespace

ModelsPage::ModelsPage(ModelStore &store, QWidget *parent)
    : QWidget(parent), m_store(store), m_model(new ModelsModel(this)), m_filter(new ModelsFilter(this)),
      m_messages(new MessageBar(this)), m_stack(new QStackedWidget(this)), m_table(new QTableView(this)),
      m_empty(new EmptyState(u"models"_s, this))
{
    setAcceptDrops(true);
    m_filter->setSourceModel(m_model);
    auto *column = new QVBoxLayout(this);
    column->setContentsMargins(12, 12, 12, 12);
    column->setSpacing(8);
    column->addWidget(m_messages);
    column->addWidget(makeTools());
    makeTable();
    m_stack->addWidget(m_empty);
    m_stack->addWidget(m_table);
    column->addWidget(m_stack, 1);
    column->addWidget(makeFooter());
    m_empty->setText(tr("No models yet"),
                     tr("Add the folder where your .safetensors files are, or drop it here. "
                        "Folders of A1111 and ComfyUI work as they are; nothing is changed in them."));
    m_empty->setAction(tr("Add a model folder…"));
    connect(m_empty, &EmptyState::actionTriggered, this, &ModelsPage::addFolder);
    connect(&m_store, &ModelStore::modelsChanged, this, &ModelsPage::showModels);
    connect(&m_store, &ModelStore::foldersChanged, this, &ModelsPage::showFolders);
    connect(&m_store, &ModelStore::failed, this,
            [this](const Error &error) { m_messages->showError(errorText(error)); });
    for (const auto signal : {&QAbstractItemModel::rowsInserted, &QAbstractItemModel::rowsRemoved})
        connect(m_filter, signal, this, &ModelsPage::refreshCount);
    refreshActions();
    refreshCount();
}

QWidget *ModelsPage::makeTools()
{
    auto *bar = new QWidget(this);
    auto *row = new QHBoxLayout(bar);
    row->setContentsMargins(0, 0, 0, 0);
    row->setSpacing(6);
    m_search = makeSearchField(tr("Filter by name, folder, family or hash"), tr("Filter models"), bar);
    m_types = new QComboBox(bar);
    m_types->setAccessibleName(tr("Type"));
    m_types->addItem(tr("All types"), QString());
    for (const char *type : {"stableDiffusion", "lora", "sdVae", "controlNet", "embedding", "upscaler"})
        m_types->addItem(ModelsModel::typeText(QLatin1String(type)), QLatin1String(type));
    row->addWidget(m_search, 1);
    row->addWidget(m_types);
    const auto add = [&](const QString &iconName, const QString &text, auto run) {
        auto *button = new QPushButton(icon(iconName), text, bar);
        button->setAccessibleName(text);
        connect(button, &QPushButton::clicked, this, run);
        row->addWidget(button);
        return button;
    };
    add(u"folder-add"_s, tr("Add folder…"), &ModelsPage::addFolder);
    add(u"file-add"_s, tr("Add file…"), &ModelsPage::addFile);
    add(u"refresh"_s, tr("Rescan"), [this] { m_store.rescan(); });
    connect(m_search, &QLineEdit::textChanged, m_filter, &ModelsFilter::setText);
    connect(m_types, &QComboBox::currentIndexChanged, this,
            [this](int index) { m_filter->setType(m_types->itemData(index).toString()); });
    return bar;
}

void ModelsPage::makeTable()
{
    m_table->setModel(m_filter);
    m_table->setSortingEnabled(true);
    m_table->sortByColumn(ModelsModel::Name, Qt::AscendingOrder);
    setUpTable(*m_table, tr("Models"), 12, {230, 100, 80, 96, 70, 130, 200});
    m_table->setSelectionMode(QAbstractItemView::SingleSelection);
    m_table->setAlternatingRowColors(true);
    m_table->setHorizontalScrollMode(QAbstractItemView::ScrollPerPixel);
    connect(m_table->selectionModel(), &QItemSelectionModel::selectionChanged, this, &ModelsPage::refreshActions);
    connect(m_table->selectionModel(), &QItemSelectionModel::currentChanged, this, &ModelsPage::refreshActions);
    connect(m_table, &QTableView::activated, this, &ModelsPage::use);
}

QWidget *ModelsPage::makeFooter()
{
    auto *bar = new QWidget(this);
    auto *row = new QHBoxLayout(bar);
    row->setContentsMargins(0, 0, 0, 0);
    row->setSpacing(6);
    m_count = new QLabel(bar);
    m_count->setProperty("role", u"muted"_s);
    m_scanBar = new QProgressBar(bar);
    m_scanBar->setTextVisible(false);
    m_scanBar->setFixedWidth(140);
    m_scanBar->setAccessibleName(tr("Scanning"));
    m_scanBar->hide();
    m_folders = new QPushButton(bar);
    m_folders->setProperty("role", u"menu"_s);
    m_folderMenu = new QMenu(m_folders);
    m_folders->setMenu(m_folderMenu);
    m_choose = new QPushButton(tr("Read as"), bar);
    m_choose->setAccessibleName(tr("Read as"));
    m_choose->setToolTip(tr("Where what was told from the file is wrong: its family, what it predicts, which weights"));
    m_choose->setProperty("role", u"menu"_s);
    m_choices = new ChoicesMenu(m_choose);
    m_choose->setMenu(m_choices);
    m_reveal = new QPushButton(icon(u"reveal"_s), tr("Show in folder"), bar);
    m_reveal->setAccessibleName(tr("Show in folder"));
    m_use = new QPushButton(icon(u"generate"_s), tr("Use for generation"), bar);
    m_use->setAccessibleName(tr("Use for generation"));
    row->addWidget(m_count);
    row->addWidget(m_scanBar);
    row->addStretch(1);
    row->addWidget(m_folders);
    row->addWidget(m_choose);
    row->addWidget(m_reveal);
    row->addWidget(m_use);
    connect(m_choices, &QMenu::aboutToShow, this, [this] {
        if (const ModelInfo *model = selected()) m_choices->show(*model);
    });
    connect(m_choices, &ChoicesMenu::chosen, &m_store, &ModelStore::choose);
    connect(m_reveal, &QPushButton::clicked, this, &ModelsPage::reveal);
    connect(m_use, &QPushButton::clicked, this, &ModelsPage::use);
    showFolders({});
    return bar;
}

void ModelsPage::showModels(const std::vector<ModelInfo> &models)
{
    m_model->merge(models);
    m_stack->setCurrentWidget(models.empty() ? static_cast<QWidget *>(m_empty) : m_table);
    refreshActions();
    refreshCount();
}

void ModelsPage::showFolders(const FolderState &folders)
{
    m_scanBar->setVisible(folders.scanning);
    m_scanBar->setRange(0, folders.total);
    m_scanBar->setValue(folders.done);
    if (folders.folders != m_folderState.folders || m_folderMenu->isEmpty()) {
        m_folderMenu->clear();
        for (const QString &folder : folders.folders) {
            QMenu *menu = m_folderMenu->addMenu(QDir::toNativeSeparators(folder));
            menu->addAction(tr("Open"), this, [folder] { QDesktopServices::openUrl(QUrl::fromLocalFile(folder)); });
            menu->addAction(tr("Remove from the list"), this, [this, folder] { m_store.removeFolder(folder); });
        }
        if (folders.folders.isEmpty()) m_folderMenu->addAction(tr("Add folder…"), this, &ModelsPage::addFolder);
        m_folders->setText(tr("%n folder(s)", nullptr, static_cast<int>(folders.folders.size())));
        m_folders->setAccessibleName(tr("Model folders"));
    }
    m_folderState = folders;
    refreshCount();
}

void ModelsPage::refreshCount()
{
    if (!m_count) return;
    const int shown = m_filter->rowCount();
    const int all = m_model->rowCount();
    QString text = shown == all ? tr("%n model(s)", nullptr, all) : tr("%1 of %n model(s)", nullptr, all).arg(shown);
    if (m_folderState.scanning) text = tr("Scanning… %1").arg(text);
    m_count->setText(text);
}

const ModelInfo *ModelsPage::selected() const
{
    const QModelIndex current = m_table->currentIndex();
    return current.isValid() ? m_model->at(m_filter->mapToSource(current).row()) : nullptr;
}

void ModelsPage::refreshActions()
{
    if (!m_use) return;
    const ModelInfo *model = selected();
    m_use->setEnabled(model && model->isCheckpoint() && model->usable());
    m_choose->setEnabled(model && model->isCheckpoint() && model->usable());
    m_reveal->setEnabled(model && !model->path.isEmpty());
}

void ModelsPage::use()
{
    const ModelInfo *model = selected();
    if (model && model->isCheckpoint() && model->usable()) Q_EMIT useRequested(model->name);
}

void ModelsPage::reveal()
{
    const ModelInfo *model = selected();
    if (!model) return;
    const QString folder = QFileInfo(model->path).absolutePath();
    if (!QDesktopServices::openUrl(QUrl::fromLocalFile(folder)))
        m_messages->showError(tr("The folder %1 cannot be opened here.").arg(QDir::toNativeSeparators(folder)));
}

void ModelsPage::addFolder()
{
    auto *dialog = new QFileDialog(this, tr("Add a model folder"));
    dialog->setAttribute(Qt::WA_DeleteOnClose);
    dialog->setFileMode(QFileDialog::Directory);
    connect(dialog, &QFileDialog::filesSelected, &m_store, &ModelStore::addPaths);
    dialog->open();
}

void ModelsPage::addFile()
{
    auto *dialog = new QFileDialog(this, tr("Add a model file"), {}, tr("Models (*.safetensors);;All files (*)"));
    dialog->setAttribute(Qt::WA_DeleteOnClose);
    dialog->setFileMode(QFileDialog::ExistingFiles);
    connect(dialog, &QFileDialog::filesSelected, &m_store, &ModelStore::addPaths);
    dialog->open();
}

void ModelsPage::dragEnterEvent(QDragEnterEvent *event)
{
    if (!localPaths(event->mimeData()).isEmpty()) event->acceptProposedAction();
}

void ModelsPage::dropEvent(QDropEvent *event)
{
    m_store.addPaths(localPaths(event->mimeData()));
    event->acceptProposedAction();
}

void ModelsPage::showEvent(QShowEvent *event)
{
    m_store.setWatched(true);
    QWidget::showEvent(event);
}

void ModelsPage::hideEvent(QHideEvent *event)
{
    m_store.setWatched(false);
    QWidget::hideEvent(event);
}

QByteArray ModelsPage::saveColumns() const
{
    return m_table->horizontalHeader()->saveState();
}

void ModelsPage::restoreColumns(const QByteArray &state)
{
    if (!state.isEmpty()) m_table->horizontalHeader()->restoreState(state);
}

}  // namespace sg::ui
