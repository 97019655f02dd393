#pragma once
// Everything luge offers.

#include <luge/autograd/grad_mode.h>
#include <luge/autograd/gradcheck.h>
#include <luge/backend.h>
#include <luge/cuda_status.h>
#include <luge/data/batches.h>
#include <luge/data/idx.h>
#include <luge/error.h>
#include <luge/memory.h>
#include <luge/nn/activation.h>
#include <luge/nn/embedding.h>
#include <luge/nn/linear.h>
#include <luge/nn/sequential.h>
#include <luge/ops/create.h>
#include <luge/ops/elementwise.h>
#include <luge/ops/index.h>
#include <luge/ops/join.h>
#include <luge/ops/loss.h>
#include <luge/ops/matmul.h>
#include <luge/ops/softmax.h>
#include <luge/tensor/tensor.h>
#include <luge/threads.h>
#include <luge/train/init.h>
#include <luge/train/monitor.h>
#include <luge/train/optimizer.h>
#include <luge/train/parameters.h>
