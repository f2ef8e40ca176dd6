#include "core/models/model_list.h"

#include <QTest>

using namespace sg;

class ModelListTest final : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void namesAreUniqueWithinAType();
    void checkpointsComeFirst();
    void finds_data();
    void finds();
    void usableBeforeUnusable();
};

namespace {

ListedModel listed(const std::string &type, const std::string &root, const std::string &name,
                   const std::string &hash = {})
{
    ListedModel model;
    model.root = root;
    model.record.type = type;
    model.record.name = name;
    model.record.path = root + "/" + name + ".safetensors";
    model.record.sha256 = hash;
    model.record.status = "unloaded";
    return model;
}

std::string hashOf(char digit)
{
    return std::string(64, digit);
}

}  // namespace

void ModelListTest::namesAreUniqueWithinAType()
{
    const std::vector<ModelRecord> models = settleNames(
        {listed("stableDiffusion", "/a", "x"), listed("lora", "/a", "x"), listed("stableDiffusion", "/b", "x"),
         listed("stableDiffusion", "/c/b", "x"), listed("stableDiffusion", "/d/b", "x")});
    std::vector<std::string> names;
    for (const ModelRecord &model : models)
        names.push_back(model.type + ":" + model.name + "=" + model.path);
    const std::vector<std::string> expected{
        "stableDiffusion:b/x=/b/x.safetensors", "stableDiffusion:b/x-2=/d/b/x.safetensors",
        "stableDiffusion:x=/a/x.safetensors", "stableDiffusion:x.safetensors=/c/b/x.safetensors",
        "lora:x=/a/x.safetensors"};
    QCOMPARE(names, expected);
}

void ModelListTest::checkpointsComeFirst()
{
    const std::vector<ModelRecord> models =
        settleNames({listed("unknown", "/a", "a"), listed("lora", "/a", "b"), listed("sdVae", "/a", "c"),
                     listed("stableDiffusion", "/a", "z"), listed("stableDiffusion", "/a", "y")});
    std::string order;
    for (const ModelRecord &model : models)
        order += model.name;
    QCOMPARE(order, std::string("yzcba"));
}

void ModelListTest::finds_data()
{
    QTest::addColumn<QByteArray>("id");
    QTest::addColumn<QByteArray>("type");
    QTest::addColumn<QByteArray>("path");
    const auto row = [](const char *id, const char *type, const char *path) {
        QTest::addRow("%s %s", id, type) << QByteArray(id) << QByteArray(type) << QByteArray(path);
    };
    row("deep/Model", "", "/m/deep/Model.safetensors");
    row("deep/Model.safetensors", "", "/m/deep/Model.safetensors");
    row("Model", "", "/m/deep/Model.safetensors");
    row("model", "", "/m/model.safetensors");
    row("MODEL", "", "/m/model.safetensors");
    row("Model.SAFETENSORS", "", "/m/model.safetensors");
    row("deep/Model.safetensors [bbbbbbbbbb]", "stableDiffusion", "/m/deep/Model.safetensors");
    row("renamed.safetensors [bbbbbbbbbb]", "stableDiffusion", "/m/deep/Model.safetensors");
    row("model.safetensors [0123456789]", "stableDiffusion", "/m/model.safetensors");
    row("aaaaaaaaaa", "", "/m/model.safetensors");
    row("AAAAAAAAAA", "", "/m/model.safetensors");
    row(hashOf('b').c_str(), "", "/m/deep/Model.safetensors");
    row("aaaaaaaaab", "", "");
    row("aaaaaaaaa", "", "");
    row("only", "lora", "/m/only.safetensors");
    row("only", "stableDiffusion", "");
    row("", "", "");
    row("Mode", "", "");
    row("safetensors", "", "");
}

void ModelListTest::finds()
{
    QFETCH(QByteArray, id);
    QFETCH(QByteArray, type);
    QFETCH(QByteArray, path);
    const std::vector<ModelRecord> models =
        settleNames({listed("stableDiffusion", "/m", "model", hashOf('a')),
                     listed("stableDiffusion", "/m", "deep/Model", hashOf('b')), listed("lora", "/m", "only")});
    const std::optional<ModelRecord> found = findModel(models, id.toStdString(), type.toStdString());
    QCOMPARE(QByteArray::fromStdString(found ? found->path : std::string()), path);
}

void ModelListTest::usableBeforeUnusable()
{
    ListedModel broken = listed("stableDiffusion", "/a", "one/x");
    broken.record.status = "unusable";
    const std::vector<ModelRecord> models = settleNames({broken, listed("stableDiffusion", "/a", "two/x")});
    QCOMPARE(findModel(models, "x", {})->name, std::string("two/x"));
    QCOMPARE(findModel(models, "one/x", {})->status, std::string("unusable"));
}

QTEST_GUILESS_MAIN(ModelListTest)
#include "model_list_test.moc"
