#include "ui/models/models_model.h"

#include "ui/widgets/format.h"

#include <QDir>
#include <QFileInfo>
#include <QHash>

#include <algorithm>
#include <utility>

namespace sg::ui {
namespace {

using namespace Qt::Literals::StringLiterals;

QString keyOf(const ModelInfo &model)
{
    return model.type + u'\n' + model.name + u'\n' + model.path;
}

QString folderOf(const QString &path)
{
    const qsizetype slash = path.lastIndexOf(u'/');
    return slash < 0 ? QString() : path.left(slash);
}

}  // namespace

ModelsModel::Row ModelsModel::makeRow(ModelInfo info)
{
    Row row;
    for (int column = 0; column < ColumnCount; ++column)
        row.texts[static_cast<std::size_t>(column)] = text(info, column);
    row.sortName = info.name.toCaseFolded();
    row.search =
        (info.name + u' ' + info.path + u' ' + info.title + u' ' + info.family + u' ' + info.variant + u' ' + info.hash)
            .toCaseFolded();
    row.info = std::move(info);
    return row;
}

void ModelsModel::merge(std::vector<ModelInfo> models)
{
    QHash<QString, int> rows;
    rows.reserve(static_cast<qsizetype>(m_rows.size()));
    for (std::size_t row = 0; row < m_rows.size(); ++row)
        rows.insert(keyOf(m_rows[row].info), static_cast<int>(row));
    std::vector<bool> kept(m_rows.size(), false);
    std::vector<Row> added;
    std::vector<int> changed;
    for (ModelInfo &model : models) {
        const auto known = rows.constFind(keyOf(model));
        if (known == rows.constEnd()) {
            added.push_back(makeRow(std::move(model)));
            continue;
        }
        const auto row = static_cast<std::size_t>(*known);
        kept[row] = true;
        if (m_rows[row].info == model) continue;
        m_rows[row] = makeRow(std::move(model));
        changed.push_back(*known);
    }
    tellChanged(changed);
    removeMissing(kept);
    if (added.empty()) return;
    const int first = rowCount();
    beginInsertRows({}, first, first + static_cast<int>(added.size()) - 1);
    m_rows.insert(m_rows.end(), std::make_move_iterator(added.begin()), std::make_move_iterator(added.end()));
    endInsertRows();
}

void ModelsModel::tellChanged(const std::vector<int> &rows)
{
    std::vector<int> sorted = rows;
    std::sort(sorted.begin(), sorted.end());
    for (std::size_t first = 0; first < sorted.size();) {
        std::size_t last = first;
        while (last + 1 < sorted.size() && sorted[last + 1] == sorted[last] + 1)
            ++last;
        Q_EMIT dataChanged(index(sorted[first], 0), index(sorted[last], ColumnCount - 1));
        first = last + 1;
    }
}

void ModelsModel::removeMissing(const std::vector<bool> &kept)
{
    for (int last = static_cast<int>(kept.size()) - 1; last >= 0; --last) {
        if (kept[static_cast<std::size_t>(last)]) continue;
        int first = last;
        while (first > 0 && !kept[static_cast<std::size_t>(first - 1)])
            --first;
        beginRemoveRows({}, first, last);
        m_rows.erase(m_rows.begin() + first, m_rows.begin() + last + 1);
        endRemoveRows();
        last = first;
    }
}

const ModelInfo *ModelsModel::at(int row) const
{
    return row >= 0 && row < rowCount() ? &m_rows[static_cast<std::size_t>(row)].info : nullptr;
}

int ModelsModel::rowCount(const QModelIndex &parent) const
{
    return parent.isValid() ? 0 : static_cast<int>(m_rows.size());
}

int ModelsModel::columnCount(const QModelIndex &parent) const
{
    return parent.isValid() ? 0 : ColumnCount;
}

QString ModelsModel::typeText(const QString &type)
{
    if (type == u"stableDiffusion"_s) return tr("Checkpoint");
    if (type == u"sdVae"_s) return tr("VAE");
    if (type == u"lora"_s) return tr("LoRA");
    if (type == u"controlNet"_s) return tr("ControlNet");
    if (type == u"upscaler"_s) return tr("Upscaler");
    if (type == u"embedding"_s) return tr("Embedding");
    if (type == u"faceRestorer"_s) return tr("Face restorer");
    if (type == u"taesd"_s) return tr("Preview decoder");
    return type.isEmpty() || type == u"unknown"_s ? tr("Unknown") : type;
}

QString ModelsModel::variantText(const QString &variant)
{
    QStringList words;
    for (const QString &word : variant.split(u", "_s)) {
        if (word == u"inpainting"_s)
            words += tr("inpainting");
        else if (word == u"editing"_s)
            words += tr("editing");
        else if (word == u"refiner"_s)
            words += tr("refiner");
        else if (word == u"v prediction"_s)
            words += tr("v prediction");
        else if (word == u"zero terminal SNR"_s)
            words += tr("zero terminal SNR");
        else
            words += word;
    }
    return words.join(u", "_s);
}

QString ModelsModel::statusText(const ModelInfo &model)
{
    if (model.status == u"registering"_s) return tr("Reading");
    if (model.status == u"loading"_s) return tr("Loading");
    if (model.status == u"loaded"_s) return tr("In memory");
    if (model.status == u"unloaded"_s) return tr("Ready");
    if (model.status == u"deleted"_s) return tr("Deleted");
    if (model.status == u"unusable"_s)
        return model.reason.isEmpty() ? tr("Unusable") : tr("Unusable: %1").arg(model.reason);
    return model.status;
}

QString ModelsModel::text(const ModelInfo &model, int column)
{
    switch (column) {
    case Name:
        return model.name;
    case Type:
        return typeText(model.type);
    case Size:
        return sizeText(model.size);
    case Hash:
        return model.hash.isEmpty() ? u"…"_s : model.hash.left(10);
    case Family:
        return model.variant.isEmpty() ? model.family : model.family + u" ("_s + variantText(model.variant) + u')';
    case Status:
        return statusText(model);
    case Folder:
        return QDir::toNativeSeparators(folderOf(model.path));
    default:
        return {};
    }
}

QVariant ModelsModel::data(const QModelIndex &index, int role) const
{
    if (!index.isValid() || index.row() >= rowCount()) return {};
    const Row &row = m_rows[static_cast<std::size_t>(index.row())];
    switch (role) {
    case Qt::DisplayRole: {
        const QString &text = row.texts[static_cast<std::size_t>(index.column())];
        return index.column() == Family && !row.info.choices.empty() ? text + u'*' : text;
    }
    case Qt::ToolTipRole: {
        if (index.column() == Hash) return row.info.hash.isEmpty() ? tr("Not hashed yet") : row.info.hash;
        if (index.column() == Status && !row.info.reason.isEmpty()) return row.info.reason;
        if (index.column() == Family && !row.info.choices.empty()) return tr("Read as you chose, not as the file says");
        const QString described = row.info.title.isEmpty() ? row.info.name : row.info.title;
        return row.info.description.isEmpty() ? described : described + u"\n"_s + row.info.description;
    }
    case Qt::TextAlignmentRole:
        return index.column() == Size ? QVariant(int(Qt::AlignRight | Qt::AlignVCenter)) : QVariant();
    case SortRole:
        if (index.column() == Size) return QVariant::fromValue(qint64{row.info.size});
        return index.column() == Name ? row.sortName : row.texts[static_cast<std::size_t>(index.column())];
    case TypeRole:
        return row.info.type;
    case PathRole:
        return row.info.path;
    case SearchRole:
        return row.search;
    default:
        return {};
    }
}

QVariant ModelsModel::headerData(int section, Qt::Orientation orientation, int role) const
{
    if (orientation != Qt::Horizontal || role != Qt::DisplayRole) return {};
    switch (section) {
    case Name:
        return tr("Name");
    case Type:
        return tr("Type");
    case Size:
        return tr("Size");
    case Hash:
        return tr("Hash");
    case Family:
        return tr("Family");
    case Status:
        return tr("Status");
    case Folder:
        return tr("Folder");
    default:
        return {};
    }
}

}  // namespace sg::ui
