#include "ui/shell/main_window.h"

#include "core/base/version.h"
#include "ui/client/api_client.h"
#include "ui/generate/generate_page.h"
#include "ui/generate/picture_panel.h"
#include "ui/log/log_page.h"
#include "ui/models/model_store.h"
#include "ui/models/models_page.h"
#include "ui/server/server_page.h"
#include "ui/server/server_store.h"
#include "ui/shell/nav_rail.h"
#include "ui/shell/status_line.h"
#include "ui/shell/ui_settings.h"
#include "ui/widgets/icons.h"
#include "ui/widgets/message_bar.h"
#include "ui/widgets/theme.h"

#include <QActionGroup>
#include <QCloseEvent>
#include <QDesktopServices>
#include <QHBoxLayout>
#include <QMenuBar>
#include <QMessageBox>
#include <QSplitter>
#include <QStackedWidget>
#include <QTimer>

#include <chrono>

namespace sg::ui {

using namespace Qt::Literals::StringLiterals;
using namespace std::chrono_literals;

MainWindow::MainWindow(ApiClient &client, UiSettings &settings, Theme &theme, const ParamTable &table, QWidget *parent)
    : QMainWindow(parent), m_client(client), m_settings(settings), m_theme(theme),
      m_modelStore(new ModelStore(client, this)), m_serverStore(new ServerStore(client, this)),
      m_rail(new NavRail(this)), m_stack(new QStackedWidget(this)), m_status(new StatusLine(this)),
      m_generate(new GeneratePage(client, table, this)), m_models(new ModelsPage(*m_modelStore, this)),
      m_server(new ServerPage(*m_serverStore, this)), m_log(new LogPage(client, this))
{
    setWindowTitle(tr("Serigraph"));
    setWindowIcon(programIcon());
    setMinimumSize(820, 560);
    makePages();
    makeMenus();
    setStatusBar(m_status);
    wire();
    restore();
    connectToServer();
}

MainWindow::~MainWindow() = default;

void MainWindow::makePages()
{
    auto *centre = new QWidget(this);
    auto *row = new QHBoxLayout(centre);
    row->setContentsMargins(0, 0, 0, 0);
    row->setSpacing(0);
    row->addWidget(m_rail);
    row->addWidget(m_stack, 1);
    m_rail->addPage(u"generate"_s, tr("Generate"), u"Ctrl+1"_s);
    m_rail->addPage(u"models"_s, tr("Models"), u"Ctrl+2"_s);
    m_rail->addPage(u"server"_s, tr("Server"), u"Ctrl+3"_s);
    m_rail->addPage(u"log"_s, tr("Log"), u"Ctrl+4"_s);
    for (QWidget *page : std::initializer_list<QWidget *>{m_generate, m_models, m_server, m_log})
        m_stack->addWidget(page);
    setCentralWidget(centre);
    connect(m_rail, &NavRail::chosen, this, &MainWindow::showPage);
}

void MainWindow::makeMenus()
{
    QMenu *file = menuBar()->addMenu(tr("&File"));
    file->addAction(icon(u"folder-add"_s), tr("Add model &folder…"), m_models, &ModelsPage::addFolder);
    file->addAction(icon(u"file-add"_s), tr("Add &model file…"), m_models, &ModelsPage::addFile);
    file->addSeparator();
    file->addAction(icon(u"save"_s), tr("&Save picture…"), &m_generate->pictures(), &PicturePanel::save);
    file->addAction(icon(u"reveal"_s), tr("&Open output folder"), this, &MainWindow::openOutputFolder);
    file->addSeparator();
    file->addAction(tr("&Quit"), QKeySequence(u"Ctrl+Q"_s), this, &QWidget::close);
    makeViewMenu();
    QMenu *help = menuBar()->addMenu(tr("&Help"));
    help->addAction(tr("&API of this server"), this, [this] {
        const bool open = m_serverStore->state().listening;
        QDesktopServices::openUrl(open ? QUrl(m_serverStore->state().url + u"/openapi.json"_s)
                                       : m_client.url(u"/openapi.json"_s));
    });
    help->addAction(tr("A&bout Serigraph"), this, &MainWindow::about);
}

void MainWindow::makeViewMenu()
{
    QMenu *view = menuBar()->addMenu(tr("&View"));
    const QString names[] = {tr("&Generate"), tr("&Models"), tr("&Server"), tr("&Log")};
    for (int page = 0; page < PageCount; ++page)
        view->addAction(names[page], QKeySequence(u"Ctrl+%1"_s.arg(page + 1)), this, [this, page] { showPage(page); });
    view->addSeparator();
    QMenu *themes = view->addMenu(tr("&Theme"));
    m_themeActions = new QActionGroup(this);
    const std::pair<Theme::Choice, QString> choices[] = {{Theme::Choice::System, tr("As the &system")},
                                                         {Theme::Choice::Light, tr("&Light")},
                                                         {Theme::Choice::Dark, tr("&Dark")}};
    for (const auto &[choice, name] : choices) {
        QAction *action = themes->addAction(name, this, [this, choice = choice] {
            m_theme.choose(choice);
            m_settings.setValue(u"window/theme"_s, Theme::name(choice));
        });
        action->setCheckable(true);
        action->setChecked(m_theme.choice() == choice);
        m_themeActions->addAction(action);
    }
}

void MainWindow::wire()
{
    connect(m_modelStore, &ModelStore::modelsChanged, m_generate, &GeneratePage::setModels);
    connect(m_models, &ModelsPage::useRequested, this, [this](const QString &name) {
        m_generate->useModel(name);
        showPage(Generate);
    });
    connect(m_generate, &GeneratePage::modelsWanted, this, [this] {
        showPage(Models);
        m_models->addFolder();
    });
    connect(m_generate, &GeneratePage::happened, m_status, &StatusLine::say);
    connect(&m_generate->queue(), &GenerationQueue::pendingChanged, m_status, &StatusLine::setPending);
    connect(&m_generate->queue(), &GenerationQueue::progressed, this,
            [this](const TaskProgressInfo &progress) { m_status->setRate(progress.rate); });
    const auto showModel = [this] {
        if (m_generate->parameters().table().find("stable_diffusion_model"))
            m_status->setModel(
                QString::fromStdString(m_generate->parameters().get<std::string>("stable_diffusion_model")));
    };
    connect(&m_generate->parameters(), &ParamModel::changed, this, [this, showModel](const QString &key) {
        if (key == u"stable_diffusion_model"_s) showModel();
        if (!m_restoring)
            m_settings.setValue(u"generate/parameters"_s,
                                QString::fromStdString(dumpJson(m_generate->parameters().save())));
    });
    connect(m_serverStore, &ServerStore::stateChanged, this,
            [this](const ServerState &state) { m_status->setServer(state.listening, state.url); });
    connect(m_serverStore, &ServerStore::changed, this, [this](const Json &changes) {
        for (const auto &[key, value] : changes.items()) {
            const QString name = u"server/"_s + QString::fromStdString(key);
            if (value.is_boolean()) m_settings.setValue(name, value.get<bool>());
            if (value.is_number_integer()) m_settings.setValue(name, value.get<int>());
            if (value.is_string()) m_settings.setValue(name, QString::fromStdString(value.get<std::string>()));
        }
    });
    connect(m_serverStore, &ServerStore::engineChanged, this, [this] {
        m_status->setEngine(m_serverStore->reachable(), m_serverStore->engineReady(), m_serverStore->engineReason());
    });
    connect(&m_generate->pictures(), &PicturePanel::saveFolderChanged, this,
            [this](const QString &folder) { m_settings.setValue(u"generate/saveFolder"_s, folder); });
    connect(m_generate->splitter(), &QSplitter::splitterMoved, this, &MainWindow::remember);
}

void MainWindow::connectToServer()
{
    m_client.parameters(this, [this](const Expected<ParamTable> &table) {
        if (!table) return m_generate->showError(table.error());
        ParamModel &model = m_generate->parameters();
        if (table->specs() == model.table().specs()) return;
        m_restoring = true;
        model.setTable(*table);
        const QString saved = m_settings.value(u"generate/parameters"_s).toString();
        if (const Expected<Json> json = parseJson(saved.toStdString())) model.restore(*json);
        m_restoring = false;
    });
    m_modelStore->start();
    m_serverStore->start();
}

void MainWindow::restore()
{
    m_restoring = true;
    if (const Expected<Json> json = parseJson(m_settings.value(u"generate/parameters"_s).toString().toStdString()))
        m_generate->parameters().restore(*json);
    m_generate->pictures().setSaveFolder(m_settings.value(u"generate/saveFolder"_s).toString());
    if (!restoreGeometry(m_settings.value(u"window/geometry"_s).toByteArray())) resize(1280, 800);
    m_generate->splitter()->restoreState(m_settings.value(u"generate/splitter"_s).toByteArray());
    m_models->restoreColumns(m_settings.value(u"models/columns"_s).toByteArray());
    showPage(qBound(0, m_settings.value(u"window/page"_s).toInt(), PageCount - 1));
    m_restoring = false;
}

void MainWindow::remember()
{
    m_settings.setValue(u"window/geometry"_s, saveGeometry());
    m_settings.setValue(u"generate/splitter"_s, m_generate->splitter()->saveState());
    m_settings.setValue(u"models/columns"_s, m_models->saveColumns());
}

void MainWindow::showPage(int page)
{
    m_stack->setCurrentIndex(page);
    m_rail->setCurrent(page);
    if (!m_restoring) m_settings.setValue(u"window/page"_s, page);
}

int MainWindow::page() const
{
    return m_stack->currentIndex();
}

int MainWindow::pageFromName(const QString &name)
{
    const QStringList names{u"generate"_s, u"models"_s, u"server"_s, u"log"_s};
    return static_cast<int>(names.indexOf(name));
}

void MainWindow::raiseWindow()
{
    setWindowState((windowState() & ~Qt::WindowMinimized) | Qt::WindowActive);
    show();
    raise();
    activateWindow();
}

void MainWindow::openOutputFolder()
{
    const QString folder = m_generate->pictures().saveFolder();
    if (folder.isEmpty())
        return m_generate->messages().showInfo(tr("Save a picture first: its folder is opened then."));
    if (!QDesktopServices::openUrl(QUrl::fromLocalFile(folder)))
        m_generate->messages().showInfo(tr("The folder %1 cannot be opened here.").arg(folder));
}

void MainWindow::about()
{
    const std::string_view number = version();
    const QString text = tr("<h3>Serigraph %1</h3><p>Stable Diffusion on your own machine: a window, a server and an "
                            "engine.</p><p>Free software under the GNU General Public License, version 3 or later.</p>")
                             .arg(QString::fromUtf8(number.data(), static_cast<qsizetype>(number.size())));
    auto *box = new QMessageBox(QMessageBox::NoIcon, tr("About Serigraph"), text, QMessageBox::Close, this);
    box->setIconPixmap(programIcon().pixmap(64, 64));
    box->setAttribute(Qt::WA_DeleteOnClose);
    box->open();
}

void MainWindow::closeEvent(QCloseEvent *event)
{
    remember();
    m_settings.flush();
    QMainWindow::closeEvent(event);
}

}  // namespace sg::ui
