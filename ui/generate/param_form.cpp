#include "ui/generate/param_form.h"

#include "ui/generate/model_chooser.h"
#include "ui/generate/param_binder.h"
#include "ui/generate/param_texts.h"
#include "ui/generate/picture_field.h"
#include "ui/generate/prompt_edit.h"
#include "ui/generate/seed_field.h"
#include "ui/widgets/icons.h"

#include <QCheckBox>
#include <QComboBox>
#include <QHBoxLayout>
#include <QLabel>
#include <QSignalBlocker>
#include <QStyle>
#include <QToolButton>
#include <QVBoxLayout>

#include <algorithm>
#include <array>
#include <utility>

namespace sg::ui {
namespace {

using namespace Qt::Literals::StringLiterals;

constexpr std::array kGroupOrder{ParamGroup::Model, ParamGroup::Sampling, ParamGroup::Size, ParamGroup::Seed,
                                 ParamGroup::Batch};
constexpr std::array<std::string_view, 16> kRarelyUsed{"styles",
                                                       "eta",
                                                       "subseed",
                                                       "subseed_strength",
                                                       "emphasis",
                                                       "clip_skip",
                                                       "comma_padding_backtrack",
                                                       "pad_cond_uncond",
                                                       "cfg_rescale",
                                                       "cfg_start",
                                                       "cfg_end",
                                                       "skip_early_cond",
                                                       "s_min_uncond",
                                                       "s_min_uncond_all",
                                                       "seed_resize_from_w",
                                                       "seed_resize_from_h"};

bool rarelyUsed(const ParamSpec &spec)
{
    return spec.option || std::find(kRarelyUsed.begin(), kRarelyUsed.end(), spec.key) != kRarelyUsed.end();
}

bool wantsWholeRow(const ParamSpec &spec)
{
    return (spec.type == ParamType::Choice && spec.choices.empty()) || spec.key == "seed" || spec.isPicture() ||
           spec.type == ParamType::Text || spec.type == ParamType::Flag;
}

void setInvalid(QWidget *widget, bool invalid)
{
    widget->setProperty("invalid", invalid);
    widget->style()->unpolish(widget);
    widget->style()->polish(widget);
}

QHBoxLayout *makeRow()
{
    auto *row = new QHBoxLayout;
    row->setSpacing(10);
    return row;
}

}  // namespace

ParamForm::ParamForm(ParamModel &model, QWidget *parent) : QWidget(parent), m_model(model)
{
    auto *outer = new QVBoxLayout(this);
    outer->setContentsMargins(0, 0, 0, 0);
    build();
    connect(&m_model, &ParamModel::tableChanged, this, &ParamForm::build);
    connect(&m_model, &ParamModel::changed, this, &ParamForm::showWhatApplies);
}

ModelChooser *ParamForm::modelChooser() const
{
    return findChild<ModelChooser *>();
}

void ParamForm::setModels(const std::vector<ModelInfo> &models)
{
    for (const ParamSpec &spec : m_model.table().specs()) {
        auto *box =
            spec.modelType.empty() ? nullptr : qobject_cast<QComboBox *>(editor(QString::fromStdString(spec.key)));
        if (!box) continue;
        const QSignalBlocker quiet(box);
        while (box->count() > static_cast<int>(spec.choices.size()))
            box->removeItem(box->count() - 1);
        for (const ModelInfo &model : models)
            if (model.type.toStdString() == spec.modelType && model.status != u"unusable"_s &&
                model.status != u"deleted"_s)
                box->addItem(model.name, model.name);
        box->setCurrentIndex(box->findData(QString::fromStdString(m_model.get<std::string>(spec.key))));
    }
}

void ParamForm::build()
{
    delete m_content;
    m_editors.clear();
    m_folds.clear();
    m_invalid = nullptr;
    m_content = new QWidget(this);
    layout()->addWidget(m_content);
    auto *column = new QVBoxLayout(m_content);
    column->setContentsMargins(2, 2, 8, 2);
    column->setSpacing(8);
    std::vector<const ParamSpec *> rare;
    std::vector<const ParamSpec *> prompts;
    for (const ParamSpec &spec : m_model.table().specs()) {
        if (spec.group == ParamGroup::Prompt)
            prompts.push_back(&spec);
        else if (rarelyUsed(spec))
            rare.push_back(&spec);
    }
    for (const ParamSpec *spec : prompts)
        addPrompt(*spec, column);
    for (const ParamGroup group : kGroupOrder) {
        std::vector<const ParamSpec *> specs;
        for (const ParamSpec &spec : m_model.table().specs())
            if (spec.group == group && !rarelyUsed(spec)) specs.push_back(&spec);
        addGroup(specs, column);
    }
    const auto rowsOf = [&](ParamGroup group) {
        std::vector<const ParamSpec *> specs;
        for (const ParamSpec &spec : m_model.table().specs())
            if (spec.group == group && !rarelyUsed(spec)) specs.push_back(&spec);
        return specs;
    };
    addFold(u"imageToImage"_s, tr("Image to image"), rowsOf(ParamGroup::ImageToImage), column);
    addFold(u"hiresFix"_s, tr("Hires fix"), rowsOf(ParamGroup::HiresFix), column);
    addFold(u"rare"_s, tr("More options"), rare, column);
    column->addStretch(1);
    showWhatApplies();
}

/// What means nothing without a start picture, a mask or hires fix cannot be edited until there is one.
void ParamForm::showWhatApplies()
{
    for (const ParamSpec &spec : m_model.table().specs())
        if (QWidget *field = editor(QString::fromStdString(spec.key)); field && !spec.onlyWith.empty())
            field->setEnabled(m_model.applies(spec));
}

void ParamForm::startFrom(const QByteArray &file, const QString &name)
{
    auto *field = qobject_cast<PictureField *>(editor(u"init_images"_s));
    if (!field) return;
    m_folds.value(u"imageToImage"_s).button->setChecked(true);
    field->take(file, name);
    field->setFocus(Qt::OtherFocusReason);
}

void ParamForm::addPrompt(const ParamSpec &spec, QVBoxLayout *column)
{
    if (spec.type != ParamType::Text) {
        column->addWidget(makeField(spec));
        return;
    }
    auto *header = makeRow();
    auto *label = new QLabel(labelOf(spec), m_content);
    auto *counter = new QLabel(m_content);
    counter->setProperty("role", u"muted"_s);
    counter->setObjectName(QString::fromStdString(spec.key) + u"Tokens"_s);
    header->addWidget(label);
    header->addStretch(1);
    header->addWidget(counter);
    auto *edit = static_cast<PromptEdit *>(ParamBinder(m_model).makeEditor(spec, m_content));
    edit->setVisibleLines(m_editors.isEmpty() ? 5 : 3);
    edit->setCounter(counter);
    label->setBuddy(edit);
    connect(edit, &PromptEdit::filesDropped, this, &ParamForm::filesDropped);
    m_editors.insert(QString::fromStdString(spec.key), edit);
    auto *box = new QVBoxLayout;
    box->setSpacing(3);
    box->addLayout(header);
    box->addWidget(edit);
    column->addLayout(box, m_editors.size() == 1 ? 3 : 2);
}

QWidget *ParamForm::makeField(const ParamSpec &spec)
{
    auto *field = new QWidget(m_content);
    auto *column = new QVBoxLayout(field);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(3);
    QWidget *editor = ParamBinder(m_model).makeEditor(spec, field);
    m_editors.insert(QString::fromStdString(spec.key), editor);
    if (auto *picture = qobject_cast<PictureField *>(editor))
        connect(picture, &PictureField::failed, this, &ParamForm::failed);
    if (!qobject_cast<QCheckBox *>(editor)) {
        auto *label = new QLabel(labelOf(spec), field);
        label->setBuddy(editor);
        label->setToolTip(helpOf(spec));
        column->addWidget(label);
    }
    if (spec.key == "seed") {
        m_seed = new SeedField(m_model, editor, field);
        m_seed->setLastSeed(m_lastSeed);
        column->addWidget(m_seed);
    } else {
        column->addWidget(editor);
    }
    return field;
}

void ParamForm::addGroup(const std::vector<const ParamSpec *> &specs, QVBoxLayout *column)
{
    QHBoxLayout *row = nullptr;
    for (std::size_t i = 0; i < specs.size(); ++i) {
        if (specs[i]->key == "width" && i + 1 < specs.size() && specs[i + 1]->key == "height") {
            column->addWidget(makeSizeRow(*specs[i], *specs[i + 1]));
            ++i;
            row = nullptr;
        } else if (wantsWholeRow(*specs[i])) {
            column->addWidget(makeField(*specs[i]));
            row = nullptr;
        } else if (row) {
            row->addWidget(makeField(*specs[i]), 1);
            row = nullptr;
        } else {
            row = makeRow();
            row->addWidget(makeField(*specs[i]), 1);
            column->addLayout(row);
            if (i + 1 == specs.size() || wantsWholeRow(*specs[i + 1])) row->addStretch(1);
        }
    }
}

QWidget *ParamForm::makeSizeRow(const ParamSpec &width, const ParamSpec &height)
{
    auto *holder = new QWidget(m_content);
    auto *row = makeRow();
    row->setContentsMargins(0, 0, 0, 0);
    row->setSpacing(4);
    holder->setLayout(row);
    auto *swap = new QToolButton(holder);
    swap->setIcon(icon(u"swap"_s));
    swap->setProperty("role", u"tool"_s);
    swap->setAccessibleName(tr("Swap width and height"));
    swap->setToolTip(tr("Swap width and height"));
    swap->setFocusPolicy(Qt::StrongFocus);
    connect(swap, &QToolButton::clicked, this, [this] {
        const auto held = m_model.get<std::int64_t>("width");
        m_model.set("width", m_model.get<std::int64_t>("height"));
        m_model.set("height", held);
    });
    row->addWidget(makeField(width), 1);
    row->addWidget(swap, 0, Qt::AlignBottom);
    row->addWidget(makeField(height), 1);
    setTabOrder(editor(u"width"_s), swap);
    setTabOrder(swap, editor(u"height"_s));
    return holder;
}

void ParamForm::addFold(const QString &name, const QString &title, const std::vector<const ParamSpec *> &specs,
                        QVBoxLayout *column)
{
    if (specs.empty()) return;
    const Fold fold{new QWidget(m_content), new QToolButton(m_content)};
    fold.button->setObjectName(name + u"Fold"_s);
    fold.button->setText(title);
    fold.button->setAccessibleName(title);
    fold.button->setToolButtonStyle(Qt::ToolButtonTextBesideIcon);
    fold.button->setCheckable(true);
    fold.button->setProperty("role", u"tool"_s);
    fold.button->setFocusPolicy(Qt::StrongFocus);
    auto *inner = new QVBoxLayout(fold.content);
    inner->setContentsMargins(0, 0, 0, 0);
    inner->setSpacing(8);
    column->addWidget(fold.button);
    column->addWidget(fold.content);
    addGroup(specs, inner);
    const auto show = [this, fold, name](bool open) {
        fold.content->setVisible(open);
        fold.button->setIcon(icon(open ? u"chevron-down"_s : u"chevron-right"_s));
        if (open)
            m_open.insert(name);
        else
            m_open.remove(name);
    };
    const bool open = m_open.contains(name);
    fold.button->setChecked(open);
    show(open);
    connect(fold.button, &QToolButton::toggled, this, show);
    m_folds.insert(name, fold);
}

bool ParamForm::markInvalid(const QString &key)
{
    if (m_invalid) setInvalid(m_invalid, false);
    m_invalid = m_editors.value(key);
    if (!m_invalid) return false;
    for (const Fold &fold : std::as_const(m_folds))
        if (fold.content->isAncestorOf(m_invalid)) fold.button->setChecked(true);
    setInvalid(m_invalid, true);
    m_invalid->setFocus(Qt::OtherFocusReason);
    return true;
}

void ParamForm::setLastSeed(std::optional<std::int64_t> seed)
{
    m_lastSeed = seed;
    if (m_seed) m_seed->setLastSeed(seed);
}

}  // namespace sg::ui
