#include "ui/models/choices_menu.h"
#include "ui/models/models_filter.h"
#include "ui/models/models_model.h"

#include <QAbstractButton>
#include <QAbstractItemModelTester>
#include <QItemSelectionModel>
#include <QPersistentModelIndex>
#include <QSignalSpy>
#include <QTableView>
#include <QTest>

#include <algorithm>

using namespace Qt::Literals::StringLiterals;
using namespace sg::ui;

namespace {

std::vector<ModelInfo> someModels(int count)
{
    std::vector<ModelInfo> models;
    for (int i = 0; i < count; ++i) {
        ModelInfo model;
        model.type = i % 3 ? u"lora"_s : u"stableDiffusion"_s;
        model.name = u"folder%1/model%2"_s.arg(i % 20).arg(i, 4, 10, QLatin1Char('0'));
        model.path = u"/models/%1.safetensors"_s.arg(model.name);
        model.status = u"unloaded"_s;
        model.size = 1000 + i;
        models.push_back(model);
    }
    return models;
}

}  // namespace

class ModelsTest : public QObject {
    Q_OBJECT
private Q_SLOTS:
    void twoThousandRows();
    void mergeKeepsSelection();
    void changedRowsAreToldOnce();
    void filterAndSort();
    void statusSaysWhy();
    void choicesAreMadeInTheMenu();
    void choicesAreMarked();
    void variantsAreShown();
};

void ModelsTest::variantsAreShown()
{
    std::vector<ModelInfo> models = someModels(2);
    models[0].family = u"sdxl"_s;
    models[0].variant = u"inpainting, v prediction"_s;
    models[1].family = u"sd1"_s;
    models[1].variant.clear();
    ModelsModel model;
    model.merge(models);
    QStringList shown;
    for (int row = 0; row < model.rowCount(); ++row)
        shown += model.index(row, ModelsModel::Family).data().toString();
    QVERIFY2(shown.contains(u"sdxl (inpainting, v prediction)"_s) && shown.contains(u"sd1"_s),
             qPrintable(shown.join(u'|')));
    ModelsFilter filter;
    filter.setSourceModel(&model);
    filter.setText(u"inpainting"_s);
    QCOMPARE(filter.rowCount(), 1);
}

void ModelsTest::choicesAreMadeInTheMenu()
{
    ModelInfo model = someModels(1).front();
    model.choices = {{"prediction", "v"}, {"ema", true}};
    ChoicesMenu menu;
    sg::Json last;
    QString name;
    connect(&menu, &ChoicesMenu::chosen, this, [&](const QString &of, const sg::Json &choices) {
        name = of;
        last = choices;
    });
    menu.show(model);
    QCOMPARE(menu.actions().size(), qsizetype{4});
    const auto entries = [&](int group) { return menu.actions().at(group)->menu()->actions(); };
    QVERIFY(entries(0).at(0)->isChecked());  // family: as the file says
    QVERIFY(entries(1).at(2)->isChecked());  // v
    QVERIFY(entries(3).at(1)->isChecked());  // EMA
    entries(2).at(2)->trigger();
    QVERIFY(last == sg::Json({{"prediction", "v"}, {"ema", true}, {"zeroTerminalSnr", false}}));
    entries(1).at(0)->trigger();  // adds to what was chosen just now
    QVERIFY(last == sg::Json({{"ema", true}, {"zeroTerminalSnr", false}}));
    QCOMPARE(name, model.name);
    for (int i = 0; i < 3; ++i)
        menu.show(someModels(1).front());
    QVERIFY(entries(1).at(0)->isChecked());
    QCOMPARE(menu.findChildren<QMenu *>().size(), qsizetype{4});
}

void ModelsTest::choicesAreMarked()
{
    ModelsModel model;
    std::vector<ModelInfo> models = someModels(2);
    models[0].family = models[1].family = u"sd1"_s;
    models[1].choices = {{"prediction", "v"}};
    model.merge(models);
    const auto shown = [&](int row, int role) { return model.index(row, ModelsModel::Family).data(role).toString(); };
    QCOMPARE(shown(0, Qt::DisplayRole), u"sd1"_s);
    QCOMPARE(shown(1, Qt::DisplayRole), u"sd1*"_s);
    QVERIFY(shown(0, Qt::ToolTipRole) != shown(1, Qt::ToolTipRole));
    models[1].choices = sg::Json::object();
    model.merge(models);
    QCOMPARE(shown(1, Qt::DisplayRole), u"sd1"_s);
}

void ModelsTest::twoThousandRows()
{
    ModelsModel model;
    QAbstractItemModelTester tester(&model, QAbstractItemModelTester::FailureReportingMode::QtTest);
    ModelsFilter filter;
    filter.setSourceModel(&model);
    QTableView view;
    view.setModel(&filter);
    view.setSortingEnabled(true);
    view.sortByColumn(0, Qt::AscendingOrder);
    view.show();
    QSignalSpy resets(&model, &QAbstractItemModel::modelReset);
    for (int known = 0; known <= 2000; known += 250)
        model.merge(someModels(known));
    QCOMPARE(filter.rowCount(), 2000);
    QCOMPARE(resets.count(), 0);
    QCOMPARE(view.findChildren<QAbstractButton *>().size(), qsizetype{1});  // the corner button: no widget a row
    model.merge({});
    QCOMPARE(filter.rowCount(), 0);
}

void ModelsTest::mergeKeepsSelection()
{
    ModelsModel model;
    model.merge(someModels(100));
    QTableView view;
    view.setModel(&model);
    view.selectRow(50);
    const QString chosen = model.at(50)->name;
    std::vector<ModelInfo> models = someModels(120);
    models.erase(models.begin() + 10, models.begin() + 20);
    models.erase(models.begin());
    std::reverse(models.begin(), models.end());
    model.merge(models);
    QCOMPARE(model.rowCount(), 109);
    const QModelIndexList rows = view.selectionModel()->selectedRows();
    QCOMPARE(rows.size(), qsizetype{1});
    QCOMPARE(model.at(rows.front().row())->name, chosen);
}

void ModelsTest::changedRowsAreToldOnce()
{
    ModelsModel model;
    std::vector<ModelInfo> models = someModels(30);
    model.merge(models);
    QSignalSpy changes(&model, &QAbstractItemModel::dataChanged);
    QSignalSpy inserts(&model, &QAbstractItemModel::rowsInserted);
    model.merge(models);
    QCOMPARE(changes.count(), 0);
    models[7].hash = u"0123456789abcdef"_s;
    model.merge(models);
    QCOMPARE(changes.count(), 1);
    QCOMPARE(inserts.count(), 0);
    QCOMPARE(model.index(7, ModelsModel::Hash).data().toString(), u"0123456789"_s);
}

void ModelsTest::filterAndSort()
{
    ModelsModel model;
    model.merge(someModels(300));
    ModelsFilter filter;
    filter.setSourceModel(&model);
    filter.setText(u"MODEL0042 folder2"_s);
    QCOMPARE(filter.rowCount(), 1);
    filter.setText(QString());
    filter.setType(u"stableDiffusion"_s);
    QCOMPARE(filter.rowCount(), 100);
    filter.sort(ModelsModel::Size, Qt::DescendingOrder);
    QCOMPARE(filter.index(0, 0).data(ModelsModel::PathRole).toString(), model.at(297)->path);
}

void ModelsTest::statusSaysWhy()
{
    ModelsModel model;
    std::vector<ModelInfo> models = someModels(1);
    models[0].status = u"unusable"_s;
    models[0].reason = u"header ends early"_s;
    model.merge(models);
    QVERIFY(model.index(0, ModelsModel::Status).data().toString().contains(u"header ends early"_s));
    QVERIFY(!model.at(0)->usable());
}

QTEST_MAIN(ModelsTest)
#include "models_test.moc"
