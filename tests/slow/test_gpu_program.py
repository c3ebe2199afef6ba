"""The counts of benchmarks/gpu_program.py for the programs of GPUs. No GPU is needed."""

import json
import sys

import pytest

from tests.slow.processes import ROOT, printed

BENCHMARKS = ROOT / 'benchmarks'

sys.path.insert(0, str(BENCHMARKS))
import hlo  # noqa: E402

WITHOUT = "needs the compiler: pip install -c constraints.txt -e '.[gpu-program]'"

MODULE = """
HloModule jit_run, is_scheduled=true

%body (state: (s32[], f32[8,4])) -> (s32[], f32[8,4]) {
  %state = (s32[], f32[8,4]{1,0}) parameter(0)
  %x = f32[8,4]{1,0} get-tuple-element(%state), index=1
  %loop_add_fusion.3 = (f32[8,4]{1,0}, bf16[4]{0}) fusion(%x), kind=kLoop, calls=%fused
  %part = f32[8,4]{1,0} get-tuple-element(%loop_add_fusion.3), index=0
  %conv.1 = (f32[8,4]{1,0}, u8[0]{0}) custom-call(%part, %loop_add_fusion.3#1), custom_call_target="__cudnn$convForward"
  %all-reduce-start = f32[4]{0} all-reduce-start(%loop_add_fusion.3#1), to_apply=%sum
  %all-reduce-done = f32[4]{0} all-reduce-done(%all-reduce-start)
  %inner = (s32[], f32[8,4]{1,0}) while(%state), condition=%more, body=%inner_body, backend_config={"known_trip_count":{"n":"5"}}
  ROOT %out = (s32[], f32[8,4]{1,0}) tuple(%n, %part)
}

%inner_body (state: (s32[], f32[8,4])) -> (s32[], f32[8,4]) {
  %state.1 = (s32[], f32[8,4]{1,0}) parameter(0)
  %y = f32[8,4]{1,0} get-tuple-element(%state.1), index=1
  %copy.2 = f32[8,4]{1,0} copy(%y)
}

ENTRY %main (a: f32[8,4]) -> f32[8,4] {
  %before = f32[8,4]{1,0} copy(%a)
  %loop = (s32[], f32[8,4]{1,0}) while(%start), condition=%more, body=%body
}
"""


def test_kernels_bytes_and_collectives_of_an_iteration() -> None:
    found = hlo.count(MODULE)
    names = {'fusion loop_add_fusion': 1, '__cudnn$convForward': 1, 'all-reduce-start': 1, 'copy': 5}
    assert dict(found.kernels) == names and found.inner_iterations == 5
    # Inputs and outputs: 8 x 4 numbers of 4 bytes are 128 bytes; 4 numbers of 2 bytes are 8 bytes, of 4 bytes 16.
    assert found.bytes == [128 + 128 + 8, 128 + 128 + 8, 16 + 8] + 5 * [256]
    assert found.collectives == [16]


LAUNCHED = """
0: kWhile
  body:
    0: kCommandBuffer
        0: kKernel
        1: kConvolution
    1: kConvolution
    2: kKernel
1: kKernel
"""


def test_launches_by_the_host() -> None:
    assert hlo.launches(LAUNCHED) == (3, 1, False)
    inside = '0: kCommandBuffer\n' + ''.join(f'  {line}\n' for line in LAUNCHED.splitlines() if line)
    assert hlo.launches(inside) == (0, 0, True)


def lines(*arguments: str) -> list[str]:
    """Returns what the script prints."""
    pytest.importorskip('jax_plugins.xla_cuda13', reason=WITHOUT)
    return printed(BENCHMARKS / 'gpu_program.py', '--networks', *arguments).splitlines()


def test_all_steps_are_one_graph_on_one_gpu_and_a_step_is_a_few_graphs_on_two() -> None:
    found = lines('ResNet-8', '--devices', '1', '2')
    one, two = json.loads(found[-1])
    assert found[2].startswith('| ResNet-8, bfloat16, training, batch 128, 1 x H200 |')
    for each in (one, two):
        assert each['inner_loop_iterations'] == 0
        assert each['operations']['__cudnn$convForward'] == each['operations']['__cudnn$convBackwardFilter'] == 7
    assert one['loop_is_one_graph'] and one['launches'] == 0 and 0 < two['launches'] < 20
    assert one['kernels'] < 130 and one['collectives'] == 0 < two['collectives']


def test_the_plain_program_compiles_with_each_option_of_a_gpu_off() -> None:
    off = [f'gpu.{name}=false' for name in ('graphs', 'flat_arrays', 'batch_norm_sums')]
    found = [json.loads(lines('ResNet-8', '--set', *fields)[-1]) for fields in (off[1:2], off[2:], off)]
    (without_arrays,), (without_sums,), (plain,) = found
    assert without_arrays['loop_is_one_graph'] and without_sums['loop_is_one_graph']
    assert not plain['loop_is_one_graph'] and plain['launches'] > 0.9 * plain['kernels']  # a few are memsets
    assert max(without_arrays['kernels'], without_sums['kernels']) < plain['kernels']


def test_a_step_with_streamed_pictures_is_one_graph_and_needs_no_pictures() -> None:
    network = ('model.name="cifar_resnet"', 'model.depth=8', 'batch_norm.group_size=0')
    fields = (*network, 'batch_size=8', 'dataset.crop=24')
    (found,) = json.loads(lines('configs/resnet18_imagenette.py', '--set', *fields)[-1])
    assert found['launches'] == 1 and found['inner_loop_iterations'] == 0 and found['batch_size'] == 8
    assert found['operations']['__cudnn$convForward'] == 9 and found['kernels'] < 150
    stages = 2 * 16 * 16 * 9, (16 + 32) * 32 * 9 // 4 + 16 * 32 // 4, (32 + 64) * 64 * 9 // 16 + 32 * 64 // 16
    forward = 24 * 24 * (3 * 16 * 9 + sum(stages)) + 64 * 10
    assert found['teraflops'] == pytest.approx(2e-12 * 3 * 8 * forward)
