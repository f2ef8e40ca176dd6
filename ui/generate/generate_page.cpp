#include "ui/generate/generate_page.h"

#include "core/picture/infotext.h"
#include "core/picture/png_text.h"
#include "ui/client/background.h"
#include "ui/client/error_text.h"
#include "ui/generate/model_chooser.h"
#include "ui/generate/param_form.h"
#include "ui/generate/picture_actions.h"
#include "ui/generate/picture_panel.h"
#include "ui/generate/progress_panel.h"
#include "ui/widgets/empty_state.h"
#include "ui/widgets/message_bar.h"

#include <QApplication>
#include <QDragEnterEvent>
#include <QFile>
#include <QFileInfo>
#include <QMimeData>
#include <QPushButton>
#include <QScrollArea>
#include <QShortcut>
#include <QSplitter>
#include <QUrl>
#include <QVBoxLayout>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

namespace sg::ui {

using namespace Qt::Literals::StringLiterals;

namespace {

constexpr auto kFirstPrompt = "a red star on a blue background";
constexpr qint64 kMostFileBytes = 64 * 1024 * 1024;

/// The infotext of a picture file; empty when there is none.
QString infotextIn(const QString &path)
{
    QFile file(path);
    if (!file.open(QIODevice::ReadOnly) || file.size() > kMostFileBytes) return {};
    const QByteArray bytes = file.readAll();
    return QString::fromStdString(sg::infotextIn({bytes.constData(), static_cast<std::size_t>(bytes.size())}));
}

/// What a picture was made with whose infotext does not have the row's key: nothing for the rows that infotext does not
/// know by a key of their own, and for model and seed.
std::optional<ParamValue> valueWithoutKey(const ParamSpec &spec)
{
    constexpr std::array kWithoutOwn{"enable_hr",          "hr_resize_x",        "hr_resize_y", "loopback_loops",
                                     "seed_resize_from_w", "seed_resize_from_h", "styles"};
    const bool known =
        !spec.infotextKey.empty() || std::find(kWithoutOwn.begin(), kWithoutOwn.end(), spec.key) != kWithoutOwn.end();
    if (!known || spec.isPicture() || spec.key == "stable_diffusion_model" || spec.key == "seed") return std::nullopt;
    if (spec.infotextAlways) return spec.formValue;  // it would be there if it had meant something
    const auto unwritten = std::find(spec.infotextValues.begin(), spec.infotextValues.end(), std::string());
    if (unwritten == spec.infotextValues.end()) return spec.defaultValue;
    const std::int64_t index = unwritten - spec.infotextValues.begin();
    if (spec.type == ParamType::Flag) return ParamValue(index == 1);
    return ParamValue(index + static_cast<std::int64_t>(spec.minimum));
}

}  // namespace

GeneratePage::GeneratePage(ApiClient &client, ParamTable table, QWidget *parent)
    : QWidget(parent), m_parameters(new ParamModel(std::move(table), this)), m_queue(new GenerationQueue(client, this)),
      m_splitter(new QSplitter(Qt::Horizontal, this)), m_form(new ParamForm(*m_parameters, this)),
      m_progress(new ProgressPanel(this)), m_pictures(new PicturePanel(this)), m_messages(new MessageBar(this))
{
    m_parameters->set("prompt", std::string(kFirstPrompt), ParamModel::By::Program);
    makeLayout();
    wireQueue();
    connect(m_progress, &ProgressPanel::generateRequested, this, &GeneratePage::generate);
    connect(m_progress, &ProgressPanel::interruptRequested, this, &GeneratePage::interrupt);
    connect(m_progress, &ProgressPanel::interruptAllRequested, this, &GeneratePage::interruptAll);
    connect(m_pictures, &PicturePanel::currentChanged, this, &GeneratePage::showSeed);
    connect(m_pictures, &PicturePanel::happened, this, &GeneratePage::happened);
    connect(m_pictures, &PicturePanel::failed, this, &GeneratePage::showError);
    connect(m_pictures->emptyState(), &EmptyState::actionTriggered, this, [this] {
        if (m_form->modelChooser()->hasModels())
            generate();
        else
            Q_EMIT modelsWanted();
    });
    connect(m_parameters, &ParamModel::changed, this, [this] {
        m_form->markInvalid({});
        refreshObstacle();
    });
    connect(m_parameters, &ParamModel::tableChanged, this, [this] {  // the form has been built anew by now
        if (m_modelsKnown) setModels(std::vector<ModelInfo>(m_models));
        showSeed();
    });
    for (const QKeySequence &keys : {QKeySequence(u"Ctrl+Return"_s), QKeySequence(u"Ctrl+Enter"_s)})
        connect(new QShortcut(keys, this, nullptr, nullptr, Qt::WindowShortcut), &QShortcut::activated, this,
                &GeneratePage::generate);
    connect(new QShortcut(QKeySequence(u"Esc"_s), this, nullptr, nullptr, Qt::WindowShortcut), &QShortcut::activated,
            this, &GeneratePage::interrupt);
    connect(new QShortcut(QKeySequence(u"Shift+Esc"_s), this, nullptr, nullptr, Qt::WindowShortcut),
            &QShortcut::activated, this, &GeneratePage::interruptAll);
    connect(m_form, &ParamForm::failed, this, &GeneratePage::showError);
    connect(m_pictures, &PicturePanel::startWanted, this, [this](const Picture &picture) {
        m_form->startFrom(picture.png, suggestedName(picture));
        Q_EMIT happened(tr("The picture is the start of image to image"));
    });
    setAcceptDrops(true);
    connect(m_form, &ParamForm::filesDropped, this, [this](const QStringList &paths) { restoreFrom(paths.front()); });
    refreshObstacle();
}

void GeneratePage::makeLayout()
{
    auto *outer = new QVBoxLayout(this);
    outer->setContentsMargins(12, 12, 12, 12);
    outer->setSpacing(8);
    outer->addWidget(m_messages);
    outer->addWidget(m_splitter, 1);
    auto *left = new QWidget(this);
    auto *column = new QVBoxLayout(left);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(0);
    auto *scroll = new QScrollArea(left);
    scroll->setObjectName(u"formScroll"_s);
    scroll->setWidgetResizable(true);
    scroll->setFrameShape(QFrame::NoFrame);
    scroll->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    scroll->setFocusPolicy(Qt::NoFocus);
    scroll->setWidget(m_form);
    column->addWidget(scroll, 1);
    column->addWidget(m_progress);
    left->setMinimumWidth(320);
    m_splitter->addWidget(left);
    m_splitter->addWidget(m_pictures);
    m_splitter->setStretchFactor(0, 0);
    m_splitter->setStretchFactor(1, 1);
    m_splitter->setSizes({400, 800});
    m_splitter->setChildrenCollapsible(false);
    m_splitter->setHandleWidth(8);
}

void GeneratePage::wireQueue()
{
    connect(m_queue, &GenerationQueue::pendingChanged, m_progress, &ProgressPanel::setPending);
    connect(m_queue, &GenerationQueue::started, m_progress, [this] { m_progress->setProgress({}); });
    connect(m_queue, &GenerationQueue::progressed, m_progress, &ProgressPanel::setProgress);
    connect(m_queue, &GenerationQueue::previewed, m_pictures, &PicturePanel::showPreview);
    connect(m_queue, &GenerationQueue::pictureReady, m_pictures,
            [this](const QString &, const Picture &picture) { m_pictures->addPicture(picture); });
    connect(m_queue, &GenerationQueue::failed, this, &GeneratePage::showError);
    connect(m_queue, &GenerationQueue::ended, this, [this](const QString &, const QString &status) {
        m_pictures->endPreview();
        if (status == u"cancelled"_s) Q_EMIT happened(tr("Interrupted"));
    });
    connect(m_queue, &GenerationQueue::noted, this,
            [this](const QStringList &notes) { m_messages->showInfo(notes.join(u"; "_s)); });
}

void GeneratePage::setModels(const std::vector<ModelInfo> &models)
{
    m_modelsKnown = true;
    m_models = models;
    if (ModelChooser *chooser = m_form->modelChooser()) chooser->setModels(models);
    m_form->setModels(models);
    refreshObstacle();
}

void GeneratePage::useModel(const QString &name)
{
    if (ModelChooser *chooser = m_form->modelChooser()) chooser->choose(name, ParamModel::By::User);
}

void GeneratePage::refreshObstacle()
{
    const ModelChooser *chooser = m_form->modelChooser();
    const bool haveModel = chooser && chooser->hasModels();
    const QString missing = chooser ? chooser->missing() : QString();
    m_progress->setObstacle(!missing.isEmpty() ? tr("The model %1 is missing.").arg(missing)
                            : haveModel        ? QString()
                            : m_modelsKnown    ? tr("There is no model yet.")
                                               : tr("Connecting…"));
    EmptyState *empty = m_pictures->emptyState();
    if (haveModel) {
        empty->setText(tr("No picture yet"), tr("Press Generate, or Ctrl+Enter in the form."));
        empty->setAction({});
    } else if (m_modelsKnown) {
        empty->setText(tr("No model yet"), tr("Pictures are drawn by a checkpoint: a .safetensors file."));
        empty->setAction(tr("Add a model folder…"));
    } else {
        empty->setText(tr("Connecting to the server…"), {});
        empty->setAction({});
    }
}

void GeneratePage::generate()
{
    if (!m_progress->generateButton()->isEnabled()) return;
    m_messages->hide();
    m_form->markInvalid({});
    // Ctrl+Enter comes while a field still holds what is being typed; leaving it takes the text over.
    if (QWidget *field = QApplication::focusWidget(); field && m_form->isAncestorOf(field)) {
        field->clearFocus();
        field->setFocus();
    }
    m_queue->submit(m_parameters->request());
}

void GeneratePage::interrupt()
{
    m_queue->interrupt();
}

void GeneratePage::interruptAll()
{
    m_queue->interruptAll();
}

void GeneratePage::showError(const Error &error)
{
    if (error.code == ErrorCode::Cancelled) return;
    m_messages->showError(errorText(error));
    m_form->markInvalid(QString::fromStdString(error.subject));
}

void GeneratePage::restoreFrom(const QString &path)
{
    inBackground(
        this, [path] { return infotextIn(path); },
        [this, name = QFileInfo(path).fileName()](const QString &text) { takeInfotext(text, name); });
}

void GeneratePage::takeInfotext(const QString &infotext, const QString &file)
{
    const Expected<ParsedInfotext> parsed = parseInfotext(infotext.toStdString(), m_parameters->table());
    if (!parsed || parsed->params.empty() || infotext.isEmpty())
        return m_messages->showError(tr("%1 has no parameters in it.").arg(file));
    if (!parsed->pairs.empty())
        for (const ParamSpec &spec : m_parameters->table().specs())
            if (std::optional<ParamValue> value = valueWithoutKey(spec); value && !parsed->params.contains(spec.key))
                m_parameters->set(spec.key, std::move(*value), ParamModel::By::Program);
    for (const ParamSpec &spec : m_parameters->table().specs()) {
        const auto it = parsed->params.find(spec.key);
        if (it == parsed->params.end()) continue;
        Expected<ParamValue> value = valueFromJson(spec, *it);
        if (!value) continue;
        const bool model = spec.type == ParamType::Choice && spec.choices.empty();
        if (model && m_form->modelChooser()->findData(QString::fromStdString(std::get<std::string>(*value))) < 0)
            continue;
        m_parameters->set(spec.key, std::move(*value));
    }
    QStringList notes;
    for (const std::string &note : parsed->notes)
        notes.append(QString::fromStdString(note));
    if (!notes.isEmpty()) m_messages->showInfo(notes.join(u"; "_s));
    Q_EMIT happened(tr("Parameters taken from %1").arg(file));
}

void GeneratePage::dragEnterEvent(QDragEnterEvent *event)
{
    if (event->mimeData()->hasUrls() && event->mimeData()->urls().front().isLocalFile()) event->acceptProposedAction();
}

void GeneratePage::dropEvent(QDropEvent *event)
{
    restoreFrom(event->mimeData()->urls().front().toLocalFile());
    event->acceptProposedAction();
}

void GeneratePage::showSeed()
{
    const Picture *picture = m_pictures->current();
    m_form->setLastSeed(picture ? seedOf(picture->infotext) : std::nullopt);
}

}  // namespace sg::ui
