#include "core/storage/courier.h"
