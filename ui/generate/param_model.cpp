#include "ui/generate/param_model.h"

#include <utility>

namespace sg::ui {
namespace {

QString toQt(std::string_view key)
{
    return QString::fromUtf8(key.data(), static_cast<qsizetype>(key.size()));
}

}  // namespace

ParamModel::ParamModel(ParamTable table, QObject *parent)
    : QObject(parent), m_table(std::move(table)), m_values(ParamValues::formValues(m_table))
{
}

void ParamModel::setTable(ParamTable table)
{
    ParamValues values = ParamValues::formValues(table);
    for (const ParamSpec &spec : table.specs())
        if (const ParamValue *held = m_values.find(spec.key); held && checkValue(spec, *held))
            values.set(spec.key, *held);
    m_pictures.removeIf([&](const auto &it) { return !table.find(it.key().toStdString()); });
    m_table = std::move(table);
    m_values = std::move(values);
    Q_EMIT tableChanged();
}

bool ParamModel::set(std::string_view key, ParamValue value, By by)
{
    const ParamSpec *spec = m_table.find(key);
    if (!spec || !checkValue(*spec, value)) return false;
    const QString name = toQt(key);
    if (by == By::User) m_touched.insert(name);
    if (*m_values.find(key) == value) return true;
    m_values.set(key, std::move(value));
    Q_EMIT changed(name);
    return true;
}

bool ParamModel::touched(std::string_view key) const
{
    return m_touched.contains(toQt(key));
}

const ParamModel::StartPicture *ParamModel::picture(const QString &key) const
{
    const auto it = m_pictures.constFind(key);
    return it == m_pictures.constEnd() ? nullptr : &*it;
}

void ParamModel::setPicture(const QString &key, std::optional<StartPicture> picture)
{
    const ParamSpec *spec = m_table.find(key.toStdString());
    if (!spec || !spec->isPicture()) return;
    const std::vector<std::string> names =
        picture ? std::vector<std::string>{picture->name.left(200).toStdString()} : std::vector<std::string>();
    if (spec->type == ParamType::Pictures)
        m_values.set(spec->key, names);
    else
        m_values.set(spec->key, names.empty() ? std::string() : names.front());
    if (picture)
        m_pictures.insert(key, std::move(*picture));
    else
        m_pictures.remove(key);
    // Also for another picture of the same name.
    Q_EMIT changed(key);
}

bool ParamModel::applies(const ParamSpec &spec) const
{
    if (spec.onlyWith.empty()) return true;
    for (const std::string &key : spec.onlyWith) {
        const ParamValue *value = m_values.find(key);
        const ParamSpec *other = m_table.find(key);
        if (value && other && asksForSomething(*value) && applies(*other)) return true;
    }
    return false;
}

Json ParamModel::request() const
{
    const bool fromPicture = m_pictures.contains(QStringLiteral("init_images"));
    Json body = Json::object();
    for (const ParamSpec &spec : m_table.specs()) {
        if (!(fromPicture ? spec.imageToImage : spec.textToImage) || !applies(spec)) continue;
        if (!spec.isPicture()) {
            body[spec.key] = sg::toJson(*m_values.find(spec.key));
            continue;
        }
        const StartPicture *held = picture(QString::fromStdString(spec.key));
        if (!held) continue;
        if (spec.type == ParamType::Pictures)
            body[spec.key] = Json::array({held->base64});
        else
            body[spec.key] = held->base64;
    }
    return body;
}

Json ParamModel::save() const
{
    Json touched = Json::array();
    for (const QString &key : m_touched)
        touched.push_back(key.toStdString());
    Json values = m_values.toJson(m_table);
    for (const ParamSpec &spec : m_table.specs())
        if (spec.isPicture()) values.erase(spec.key);
    return {{"values", std::move(values)}, {"touched", std::move(touched)}};
}

void ParamModel::restore(const Json &saved)
{
    if (!saved.is_object()) return;
    if (const auto values = saved.find("values"); values != saved.end() && values->is_object())
        for (const ParamSpec &spec : m_table.specs()) {
            const auto it = values->find(spec.key);
            if (it == values->end() || spec.isPicture()) continue;
            if (Expected<ParamValue> value = valueFromJson(spec, *it)) set(spec.key, std::move(*value), By::Program);
        }
    if (const auto touched = saved.find("touched"); touched != saved.end() && touched->is_array())
        for (const Json &key : *touched)
            if (key.is_string()) m_touched.insert(QString::fromStdString(key.get<std::string>()));
}

}  // namespace sg::ui
