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

Json ParamModel::save() const
{
    Json touched = Json::array();
    for (const QString &key : m_touched)
        touched.push_back(key.toStdString());
    return {{"values", toJson()}, {"touched", std::move(touched)}};
}

void ParamModel::restore(const Json &saved)
{
    if (!saved.is_object()) return;
    if (const auto values = saved.find("values"); values != saved.end() && values->is_object())
        for (const ParamSpec &spec : m_table.specs()) {
            const auto it = values->find(spec.key);
            if (it == values->end()) continue;
            if (Expected<ParamValue> value = valueFromJson(spec, *it)) set(spec.key, std::move(*value), By::Program);
        }
    if (const auto touched = saved.find("touched"); touched != saved.end() && touched->is_array())
        for (const Json &key : *touched)
            if (key.is_string()) m_touched.insert(QString::fromStdString(key.get<std::string>()));
}

}  // namespace sg::ui
