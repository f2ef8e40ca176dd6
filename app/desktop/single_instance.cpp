#include "app/desktop/single_instance.h"

#include <QCryptographicHash>
#include <QFileInfo>
#include <QLocalSocket>

namespace sg::desktop {

using namespace Qt::Literals::StringLiterals;

namespace {
constexpr int kAnswerMs = 1000;
}

SingleInstance::SingleInstance(const QString &dataDir, QObject *parent) : QObject(parent)
{
    const QString canonical = QFileInfo(dataDir).canonicalFilePath();
    const QByteArray folder = (canonical.isEmpty() ? dataDir : canonical).toUtf8();
    const QByteArray hash = QCryptographicHash::hash(folder, QCryptographicHash::Sha256).toHex().left(16);
    m_name = u"serigraph-%1"_s.arg(QString::fromLatin1(hash));
    m_server.setSocketOptions(QLocalServer::UserAccessOption);
    connect(&m_server, &QLocalServer::newConnection, this, [this] {
        while (QLocalSocket *socket = m_server.nextPendingConnection()) {
            connect(socket, &QLocalSocket::disconnected, socket, &QObject::deleteLater);
            Q_EMIT raiseRequested();
            socket->write("ok\n");
            socket->disconnectFromServer();
        }
    });
}

bool SingleInstance::raiseOther() const
{
    QLocalSocket socket;
    socket.connectToServer(m_name);
    return socket.waitForConnected(kAnswerMs) && socket.waitForReadyRead(kAnswerMs) &&
           socket.readAll().startsWith("ok");
}

void SingleInstance::listen()
{
    QLocalServer::removeServer(m_name);  // left over from a process that was killed
    m_server.listen(m_name);
}

}  // namespace sg::desktop
