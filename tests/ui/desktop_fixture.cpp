#include "tests/ui/desktop_fixture.h"

#include "ui/generate/generate_page.h"
#include "ui/generate/model_chooser.h"
#include "ui/generate/param_form.h"

#include <QTest>

#include <filesystem>

namespace sg::test {

using namespace Qt::Literals::StringLiterals;

DesktopFixture::DesktopFixture(Engine engine, int nullStepMs)
{
    m_config.dataDir = m_data.path().toStdString();
    m_config.modelFolders = {SG_SOURCE_DIR "/resources/starter"};
    m_config.engineProgram = SG_BIN_DIR "/serigraph-engine";
    if (engine == Engine::Null) m_config.engineArguments = {"--null", "--null-step-ms", std::to_string(nullStepMs)};
    m_config.allowRemote = true;
}

DesktopFixture::~DesktopFixture()
{
    closeWindow();
    m_client.reset();
    if (m_services) m_services->stop();
}

QString DesktopFixture::start()
{
    m_services = std::make_unique<Services>(m_config);
    if (const Expected<void> started = m_services->start(); !started)
        return QString::fromStdString(started.error().message);
    m_client = std::make_unique<ui::ApiClient>(QUrl(QString::fromStdString(m_services->privateUrl())),
                                               QString::fromStdString(m_services->privateToken()));
    return {};
}

bool DesktopFixture::openWindow()
{
    m_settings = std::make_unique<ui::UiSettings>(m_data.filePath(u"desktop.ini"_s));
    m_theme = std::make_unique<ui::Theme>();
    m_theme->choose(ui::Theme::Choice::Light);
    m_window = std::make_unique<ui::MainWindow>(*m_client, *m_settings, *m_theme, ParamTable::standard());
    m_window->show();
    m_window->activateWindow();
    if (!QTest::qWaitForWindowActive(m_window.get())) return false;
    return QTest::qWaitFor([this] { return m_window->generatePage().form().modelChooser()->hasModels(); }, 30'000);
}

void DesktopFixture::closeWindow()
{
    if (m_window) m_window->close();
    m_window.reset();
    m_theme.reset();
    m_settings.reset();
}

}  // namespace sg::test
