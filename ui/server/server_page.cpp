#include "ui/server/server_page.h"

#include "ui/client/error_text.h"
#include "ui/server/server_store.h"
#include "ui/widgets/icons.h"
#include "ui/widgets/message_bar.h"
#include "ui/widgets/switch_button.h"

#include <QClipboard>
#include <QComboBox>
#include <QFontDatabase>
#include <QFormLayout>
#include <QGuiApplication>
#include <QHostAddress>
#include <QLabel>
#include <QLineEdit>
#include <QLocale>
#include <QPlainTextEdit>
#include <QPushButton>
#include <QSignalBlocker>
#include <QSpinBox>
#include <QVBoxLayout>

namespace sg::ui {
namespace {

using namespace Qt::Literals::StringLiterals;

bool isLoopback(const QString &address)
{
    return address == u"localhost"_s || QHostAddress(address).isLoopback();
}

QString curlExample(const QString &url)
{
    const QString base = url.isEmpty() ? u"http://127.0.0.1:PORT"_s : url;
    return u"curl -s %1/sdapi/v1/txt2img -H 'Content-Type: application/json' \\\n"
           "  -d '{\"prompt\": \"a red star on a blue background\", \"steps\": 20,\n"
           "       \"cfg_scale\": 5, \"width\": 128, \"height\": 128}' \\\n"
           "  | python3 -c 'import sys, json, base64; "
           "open(\"star.png\", \"wb\").write(base64.b64decode(json.load(sys.stdin)[\"images\"][0]))'"_s.arg(base);
}

}  // namespace

ServerPage::ServerPage(ServerStore &store, QWidget *parent)
    : QWidget(parent), m_store(store), m_messages(new MessageBar(this))
{
    auto *outer = new QVBoxLayout(this);
    outer->setContentsMargins(12, 12, 12, 12);
    outer->setSpacing(12);
    outer->addWidget(m_messages);
    auto *title = new QLabel(tr("Server for other programs"), this);
    title->setProperty("role", u"title"_s);
    auto *text = new QLabel(tr("Programs that speak the API of A1111 or of Serigraph can draw pictures here. "
                               "This window does not need it."),
                            this);
    text->setWordWrap(true);
    text->setProperty("role", u"muted"_s);
    outer->addWidget(title);
    outer->addWidget(text);
    outer->addWidget(makeCard());
    outer->addWidget(makeExample());
    outer->addStretch(1);
    connect(&m_store, &ServerStore::stateChanged, this, &ServerPage::showState);
    connect(&m_store, &ServerStore::failed, this,
            [this](const Error &error) { m_messages->showError(errorText(error)); });
    showState(m_store.state());
}

QWidget *ServerPage::makeCard()
{
    auto *card = new QFrame(this);
    card->setObjectName(u"card"_s);
    auto *form = new QFormLayout(card);
    form->setContentsMargins(16, 14, 16, 14);
    form->setHorizontalSpacing(16);
    form->setVerticalSpacing(10);
    form->setFieldGrowthPolicy(QFormLayout::FieldsStayAtSizeHint);
    m_switch = new SwitchButton(tr("Listen"), card);
    m_switch->setObjectName(u"listen"_s);
    m_stateText = new QLabel(card);
    auto *switchRow = new QHBoxLayout;
    switchRow->addWidget(m_switch);
    switchRow->addWidget(m_stateText);
    switchRow->addStretch(1);
    form->addRow(tr("State"), switchRow);
    m_address = new QComboBox(card);
    m_address->setObjectName(u"address"_s);
    m_address->setEditable(true);
    m_address->addItems({u"127.0.0.1"_s, u"0.0.0.0"_s});
    m_address->setMinimumContentsLength(18);
    m_address->setAccessibleName(tr("Address"));
    m_address->setToolTip(tr("127.0.0.1 is reached from this computer only, 0.0.0.0 from every network it is in."));
    form->addRow(tr("Address"), m_address);
    m_port = new QSpinBox(card);
    m_port->setObjectName(u"port"_s);
    m_port->setRange(0, 65535);
    m_port->setSpecialValueText(tr("a free one"));
    m_port->setAccessibleName(tr("Port"));
    m_port->setToolTip(tr("0 takes a free port."));
    m_port->setMinimumWidth(120);
    form->addRow(tr("Port"), m_port);
    m_warning = new QLabel(tr("Everyone who reaches this address can draw pictures, see those of others and fill the "
                              "disk: there is no login yet."),
                           card);
    m_warning->setWordWrap(true);
    m_warning->setProperty("role", u"over"_s);
    form->addRow(QString(), m_warning);
    addUrlRow(form);
    m_requests = new QLabel(card);
    m_requests->setObjectName(u"requests"_s);
    form->addRow(tr("Requests answered"), m_requests);
    connect(m_switch, &SwitchButton::clicked, this, &ServerPage::toggle);
    connect(m_address, &QComboBox::editTextChanged, this, [this] {
        m_edited = true;
        refreshWarning();
    });
    connect(m_port, &QSpinBox::valueChanged, this, [this] { m_edited = true; });
    return card;
}

void ServerPage::addUrlRow(QFormLayout *form)
{
    m_url = new QLineEdit(this);
    m_url->setReadOnly(true);
    m_url->setMinimumWidth(260);
    m_url->setAccessibleName(tr("URL"));
    m_copyUrl = new QPushButton(icon(u"copy"_s), tr("Copy"), this);
    m_copyUrl->setAccessibleName(tr("Copy URL"));
    connect(m_copyUrl, &QPushButton::clicked, this, [this] { QGuiApplication::clipboard()->setText(m_url->text()); });
    auto *row = new QHBoxLayout;
    row->setSpacing(8);
    row->addWidget(m_url);
    row->addWidget(m_copyUrl);
    form->addRow(tr("URL"), row);
}

QWidget *ServerPage::makeExample()
{
    auto *box = new QWidget(this);
    auto *column = new QVBoxLayout(box);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(6);
    auto *header = new QHBoxLayout;
    auto *label = new QLabel(tr("Try it in a terminal"), box);
    label->setProperty("role", u"section"_s);
    m_copyExample = new QPushButton(icon(u"copy"_s), tr("Copy"), box);
    m_copyExample->setAccessibleName(tr("Copy example"));
    header->addWidget(label);
    header->addStretch(1);
    header->addWidget(m_copyExample);
    m_example = new QPlainTextEdit(box);
    m_example->setReadOnly(true);
    m_example->setTabChangesFocus(true);
    m_example->setAccessibleName(tr("Example command"));
    m_example->setFont(QFontDatabase::systemFont(QFontDatabase::FixedFont));
    m_example->setLineWrapMode(QPlainTextEdit::NoWrap);
    m_example->setFixedHeight(m_example->fontMetrics().lineSpacing() * 4 + 34);
    label->setBuddy(m_example);
    column->addLayout(header);
    column->addWidget(m_example);
    connect(m_copyExample, &QPushButton::clicked, this,
            [this] { QGuiApplication::clipboard()->setText(m_example->toPlainText()); });
    return box;
}

void ServerPage::showState(const ServerState &state)
{
    const QSignalBlocker quietSwitch(m_switch);
    const QSignalBlocker quietAddress(m_address);
    const QSignalBlocker quietPort(m_port);
    m_switch->setChecked(state.listening);
    m_stateText->setText(state.listening ? tr("listening") : tr("off"));
    m_address->setEnabled(!state.listening);
    m_port->setEnabled(!state.listening);
    if (!m_edited || state.listening) {
        m_edited = false;
        if (!state.address.isEmpty() && m_address->currentText() != state.address)
            m_address->setEditText(state.address);
        m_port->setValue(state.port);
    }
    m_url->setText(state.url);
    m_copyUrl->setEnabled(!state.url.isEmpty());
    m_requests->setText(QLocale().toString(qint64{state.requests}));
    const QString example = curlExample(state.url);
    if (m_example->toPlainText() != example) m_example->setPlainText(example);
    if (!state.error.isEmpty() && state.error != m_shownError) m_messages->showError(state.error);
    m_shownError = state.error;
    refreshWarning();
}

void ServerPage::refreshWarning()
{
    const QString address = m_address->currentText().trimmed();
    m_warning->setVisible(!address.isEmpty() && !isLoopback(address));
}

void ServerPage::toggle(bool on)
{
    m_messages->hide();
    const QString address = m_address->currentText().trimmed();
    Json changes{{"listening", on}};
    if (on) {
        changes["address"] = address.toStdString();
        changes["port"] = m_port->value();
    }
    const auto apply = [this, changes] { m_store.change(changes); };
    if (!on || isLoopback(address)) return apply();
    showState(m_store.state());  // stays off until the user has agreed
    m_messages->showError(tr("%1 can be reached from other computers, and there is no login yet.").arg(address));
    m_messages->setAction(tr("Listen anyway"), [this, apply] {
        m_messages->hide();
        apply();
    });
}

void ServerPage::showEvent(QShowEvent *event)
{
    m_store.setWatched(true);
    QWidget::showEvent(event);
}

void ServerPage::hideEvent(QHideEvent *event)
{
    m_store.setWatched(false);
    QWidget::hideEvent(event);
}

}  // namespace sg::ui
