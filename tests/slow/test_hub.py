"""Networks by their names on the Hub: huggingface_hub as it is, in processes whose HF_ENDPOINT is a server here.

The server answers with the headers that huggingface_hub reads: X-Repo-Commit, ETag, X-Error-Code.
"""

import hashlib
import importlib.util
import json
import re
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import huggingface_hub
import jax
import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import save

from jax_resnet import models
from jax_resnet.config.network import network
from jax_resnet.errors import UserError
from jax_resnet.training import hub as hubs
from jax_resnet.training.load import check_weights, to_variables
from tests.conftest import Ended
from tests.references.draw import draw_pytorch, real_images
from tests.slow.processes import ROOT, python
from tests.slow.test_timm import NETS

REFERENCES = ROOT / 'tests' / 'references'
COMMIT, OLDER = 'a' * 40, 'b' * 40

TIMM = json.loads("""{
  "architecture": "resnet50", "num_classes": 1000, "num_features": 2048, "global_pool": "avg",
  "model_args": {"in_chans": 3, "num_classes": 1000, "global_pool": "avg"},
  "pretrained_cfg": {
    "tag": "a1_in1k", "custom_load": false, "input_size": [3, 224, 224], "test_input_size": [3, 288, 288],
    "fixed_input_size": false, "interpolation": "bicubic", "crop_pct": 0.95, "test_crop_pct": 1.0,
    "crop_mode": "center", "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225], "num_classes": 1000,
    "pool_size": [7, 7], "first_conv": "conv1", "classifier": "fc", "license": "apache-2.0",
    "origin_url": "https://github.com/huggingface/pytorch-image-models", "paper_ids": "arXiv:2110.00476"}}
""")
"""What timm 1.0.31 writes for resnet50.a1_in1k (save_config_for_hf), with its own facts of these weights."""

TORCHVISION = {'input_size': [3, 176, 176], 'test_input_size': [3, 224, 224], 'interpolation': 'bilinear',
               'crop_pct': 0.875, 'test_crop_pct': 0.965}  # fmt: skip
"""How tv2_in1k differs from it."""

MICROSOFT = json.loads((REFERENCES / 'transformers.json').read_text())


def timm(architecture: str = 'resnet50', **pretrained: Any) -> dict[str, Any]:
    return TIMM | {'architecture': architecture, 'pretrained_cfg': TIMM['pretrained_cfg'] | pretrained}


class Hub(ThreadingHTTPServer):
    """Repositories, each with its commits, the newest first."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(('127.0.0.1', 0), Handler)
        self.repositories: dict[str, dict[str, dict[str, bytes]]] = {}
        self.requests: list[str] = []

    def add(self, name: str, config: Any, tensors: dict[str, np.ndarray] | None = None, commit: str = COMMIT) -> None:
        tensors = {'fc.bias': np.zeros(1000, np.float32)} if tensors is None else tensors
        files = {'config.json': json.dumps(config).encode(), 'model.safetensors': save(tensors)}
        self.repositories.setdefault(name, {})[commit] = files


class Handler(BaseHTTPRequestHandler):
    server: Hub
    protocol_version = 'HTTP/1.1'

    def log_message(self, *arguments: object) -> None:
        pass

    def do_GET(self) -> None:
        self.server.requests.append(f'{self.command} {self.path}')
        if self.path.startswith('/api/'):  # which program asks: no answer is needed
            return self.answer(404, {})
        owner, name, _, revision, file = self.path.strip('/').split('/')
        commits = self.server.repositories.get(f'{owner}/{name}')
        if commits is None:  # the Hub does not say whether there is such a private one
            return self.answer(
                401, {'X-Error-Code': 'RepoNotFound', 'X-Error-Message': 'Invalid username or password.'}
            )
        commit = next(iter(commits)) if revision == 'main' else revision
        if commit not in commits:
            return self.answer(404, {'X-Error-Code': 'RevisionNotFound', 'X-Error-Message': 'Invalid rev id'})
        headers = {'X-Repo-Commit': commit}
        if file not in commits[commit]:
            return self.answer(404, headers | {'X-Error-Code': 'EntryNotFound', 'X-Error-Message': 'Entry not found'})
        content = commits[commit][file]
        self.answer(200, headers | {'ETag': f'"{hashlib.sha256(content).hexdigest()}"'}, content)

    def do_HEAD(self) -> None:
        self.do_GET()

    def answer(self, status: int, headers: dict[str, str], content: bytes = b'') -> None:
        self.send_response(status)
        for header, value in (headers | {'Content-Length': str(len(content))}).items():
            self.send_header(header, value)
        self.end_headers()
        if self.command == 'GET':
            self.wfile.write(content)


@pytest.fixture
def hub() -> Iterator[Hub]:
    server = Hub()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


READ = """
import json, sys
from jax_resnet.errors import UserError
from jax_resnet.training import hub
for name in sys.argv[1:]:
    try:
        found = hub.read(name)
        print(json.dumps([str(found.path), found.network.model.depth]))
    except UserError as e:
        print(json.dumps(str(e)))
"""


@pytest.fixture
def process(hub: Hub, tmp_path: Path) -> Callable[..., Ended]:
    """Starts Python, as `python` does, with this server as the Hub and an empty cache."""
    environment = {
        'HF_ENDPOINT': f'http://127.0.0.1:{hub.server_port}', 'HF_HOME': str(tmp_path / 'hf'),
        'JAX_PLATFORMS': 'cpu', 'PYTHONPATH': str(ROOT),
    }  # fmt: skip
    return lambda *words, **changes: python(*words, **(environment | changes))


@pytest.fixture
def read(process: Callable[..., Ended]) -> Callable[..., list[Any]]:
    def run(*names: str, **environment: str) -> list[Any]:
        ended = process('-c', READ, *names, **environment)
        assert ended.code == 0, ended.err
        return [json.loads(line) for line in ended.out.splitlines()]

    return run


def test_first_from_the_hub_then_from_the_cache_also_offline(hub: Hub, read: Callable[..., list[Any]]) -> None:
    hub.add('timm/resnet50.a1_in1k', timm())
    hub.add('timm/resnet50.a1_in1k', timm('resnet26'), {'fc.bias': np.ones(1000, np.float32)}, OLDER)
    newest, older = f'timm/resnet50.a1_in1k@{COMMIT}', f'timm/resnet50.a1_in1k@{OLDER}'
    assert read('timm/resnet50.a1_in1k', older) == [[newest, 50], [older, 26]]
    gets = [request for request in hub.requests if request.startswith('GET /timm/')]
    assert len(gets) == 4 and sum(request.endswith('.safetensors') for request in gets) == 2
    hub.requests.clear()
    assert read('timm/resnet50.a1_in1k', older, newest) == [[newest, 50], [older, 26], [newest, 50]]
    assert read('timm/resnet50.a1_in1k', HF_HUB_OFFLINE='1') == [[newest, 50]]
    assert read('timm/resnet50.a1_in1k', HF_ENDPOINT='http://127.0.0.1:9') == [[newest, 50]]
    assert not hub.requests


def test_what_cannot_be_fetched_is_one_line(hub: Hub, read: Callable[..., list[Any]], tmp_path: Path) -> None:
    hub.add('timm/resnet18.tv_in1k', timm('resnet18'))
    del hub.repositories['timm/resnet18.tv_in1k'][COMMIT]['model.safetensors']
    lines = read('timm/resnet18', 'timm/resnet18.tv_in1k@v9', 'torchvision/resnet18')
    cache = f'is not in the cache, {tmp_path / "hf" / "hub"}, and cannot be fetched from http://127.0.0.1:{hub.server_port} ('
    advice = '); without the Hub, give a .safetensors file and --config=FILE'
    assert lines == [
        f'timm/resnet18: config.json {cache}the Hub has no such repository, or it is private and needs a token (HF_TOKEN){advice}',
        f'timm/resnet18.tv_in1k@v9: config.json {cache}the repository has no such revision{advice}',
        f'torchvision/resnet18: model.safetensors {cache}the repository does not have this file{advice}',
    ]
    for environment in ({'HF_ENDPOINT': 'http://127.0.0.1:9'}, {'HF_HUB_OFFLINE': '1'}):
        (line,) = read('timm/resnet34.a1_in1k', **environment)
        assert line.startswith('timm/resnet34.a1_in1k: config.json is not in the cache, ') and '\n' not in line


@pytest.mark.parametrize(
    ('config', 'message'),
    [
        (timm('seresnet50'), 'seresnet50 is no network of this package; it has those of resnet.py in torchvision'),
        (timm() | {'model_args': {'aa_layer': 'blur'}}, r"config.json: model_args=\{'aa_layer': 'blur'\}: this package"),
        (timm(crop_mode='squash'), r"config.json: Invalid enum value 'squash' - at `\$.pretrained_cfg.crop_mode`"),
        (timm(interpolation='nearest'), "config.pictures.interpolation='nearest': must be"),
        (timm(mean=[0.5]), r'config.json: .* at `\$.pretrained_cfg.mean`'),
        (MICROSOFT['resnet-18'] | {'hidden_act': 'gelu'}, "Invalid enum value 'gelu'"),
        (MICROSOFT['resnet-18'] | {'depths': [2, 2, 2, 9]}, r'depths=\(2, 2, 2, 9\) of basic units are no ResNet'),
        ({}, 'config.json: Object missing required field `architectures`'),
    ],
)  # fmt: skip
def test_another_network_is_refused(config: dict, message: str, fetched) -> None:
    with pytest.raises(UserError, match=f'^timm/x@{COMMIT}: .*{message}') as error:
        fetched(config)
    assert '\n' not in str(error.value)


@pytest.fixture
def fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Reads a config.json, and perhaps tensors, as if huggingface_hub had them in its cache."""

    def read(config: dict, tensors: dict[str, np.ndarray] | None = None):
        folder = tmp_path / 'snapshots' / COMMIT
        folder.mkdir(parents=True, exist_ok=True)
        (folder / 'config.json').write_text(json.dumps(config))
        (folder / 'model.safetensors').write_bytes(save(tensors or {'fc.bias': np.zeros(1000, np.float32)}))
        monkeypatch.setattr(huggingface_hub, 'try_to_load_from_cache', lambda _, file, revision: str(folder / file))
        return hubs.read('timm/x')

    return read


def test_the_input_is_as_timm_and_transformers_make_it(fetched) -> None:
    def about(config: dict) -> tuple:
        found = fetched(config)
        pictures = found.network.pictures
        return found.preprocessing.image_shape[0], pictures.test_shorter_side, pictures.interpolation

    assert about(timm()) == (288, 288, 'bicubic')
    assert about(timm(**TORCHVISION)) == (224, 232, 'bilinear')
    assert about(timm(test_input_size=None, test_crop_pct=None)) == (224, 235, 'bicubic')
    assert about(MICROSOFT['resnet-50']) == (224, 256, 'bicubic')
    names = fetched(timm()).preprocessing.class_names
    assert names[207] == 'golden retriever' and len(names) == 1000
    labels = {str(label): 'tench, Tinca tinca' if label == 0 else 'x' for label in range(1000)}
    assert fetched(MICROSOFT['resnet-50'] | {'id2label': labels}).preprocessing.class_names == names
    assert fetched(
        timm() | {'num_classes': 2, 'model_args': {}, 'label_names': ['cat', 'dog']}
    ).preprocessing.class_names == ('cat', 'dog')


def test_the_networks_of_timm(fetched) -> None:
    """They are those whose logits tests/slow/test_timm.py compares with timm's."""
    for architecture, net in NETS.items():
        check_weights(architecture, {}, fetched(timm(architecture)).network, net, {})


@pytest.mark.parametrize(
    'name', [pytest.param(name, marks=pytest.mark.soak) if len(name) == 10 else name for name in MICROSOFT]
)
def test_the_networks_of_transformers(name: str, fetched) -> None:
    """The logits are those of transformers, and the tensors come back bit for bit."""
    net = network(fetched(MICROSOFT[name]).network)
    images = real_images(64)[::4]
    shapes = jax.eval_shape(net.init, jax.random.key(0), images)
    zeros = jax.tree.map(lambda x: np.broadcast_to(np.float32(0), x.shape), shapes)
    shaped = models.to_pytorch(zeros, 'transformers')
    tensors = {key: draw_pytorch(key, x.shape) for key, x in shaped.items()}
    variables = to_variables(fetched(MICROSOFT[name], tensors))
    back = models.to_pytorch(variables, 'transformers')
    assert back.keys() == tensors.keys() and all((back[key] == tensors[key]).all() for key in back)
    expected = np.load(REFERENCES / 'transformers.npz')[name]
    logits = jax.jit(net.clone(stacked=True).apply)(models.stack(variables), images)
    assert expected.std(0).mean() > 0.01
    np.testing.assert_allclose(logits, expected, rtol=0, atol=1e-4 * expected.std())


def test_a_name_goes_where_a_file_of_weights_goes(hub: Hub, process, tmp_path: Path) -> None:
    """The classes of Imagenette's kind: a folder with two of ImageNet's classes."""
    shapes = json.loads((REFERENCES / 'timm.json').read_text())['resnet18']
    shapes = {key: tuple(shape) for key, shape in shapes.items() if 'batches' not in key}
    tensors = {key: draw_pytorch(key, shape).astype(np.float16) for key, shape in shapes.items()}
    small = timm('resnet18', input_size=[3, 64, 64], test_input_size=None, test_crop_pct=None)
    hub.add('timm/resnet18.tv_in1k', small, tensors)
    hub.add('timm/resnet34.tv_in1k', timm('resnet34'), tensors)
    folder = tmp_path / 'pictures'
    for label, name in enumerate(('golden_retriever', 'Tench')):
        (folder / name).mkdir(parents=True)
        for number in range(8):
            pixels = np.random.default_rng([label, number]).integers(0, 256, (70, 80, 3), np.uint8)
            Image.fromarray(pixels).save(folder / name / f'{number}.png')
    name, ours = 'torchvision/resnet18', tmp_path / 'ours.safetensors'
    command = '-m', 'jax_resnet'

    predicted = process(*command, 'predict', name, folder / 'Tench' / '0.png')
    assert predicted.code == 0, predicted.err
    assert process(*command, 'convert', name, ours).code == 0
    again = process(*command, 'predict', ours, folder / 'Tench' / '0.png')
    assert again.out == predicted.out and len(again.out.splitlines()) == 6

    evaluated = process(*command, 'evaluate', f'hf://{name}', f'--data={folder}', '--split=train')
    assert evaluated.code == 0, evaluated.err
    assert evaluated.out.startswith("the data has 2 of the network's 1,000 classes")
    assert 'among the data' in evaluated.out and 'tench' in evaluated.out

    other = process(*command, 'predict', 'torchvision/resnet34', folder / 'Tench' / '0.png')
    assert other.code == 2 and 'these are the weights of a ResNet-18, not of a ResNet-34' in other.err

    blocks = re.findall(r'```py\n(.*?)```', (ROOT / 'docs' / 'pretrained.md').read_text(), re.DOTALL)
    if importlib.util.find_spec('jax2onnx') is None:
        del blocks[-1]
    else:
        blocks.append(
            'import onnxruntime\nsession = onnxruntime.InferenceSession("net.onnx")\n'
            '(found,) = session.run(None, {session.get_inputs()[0].name: jax.device_get(pixels)})\n'
            'assert abs(found - logits).max() < 1e-4 * abs(logits).max()\n'
        )
    program = '\n'.join(blocks).replace('timm/resnet50.a1_in1k', name)
    done = process('-c', program, cwd=tmp_path)
    assert done.code == 0, done.err

    run = tmp_path / 'run'
    trained = process(
        *command, 'train', '--config=finetune_resnet50_folder', f'--config.init_from={name}', f'--workdir={run}',
        f'--config.dataset.folder={folder}', '--config.model.num_classes=2', '--config.model.depth=18',
        '--config.model.v1_5=False', '--config.dataset.crop=32', '--config.pictures.test_shorter_side=32',
        '--config.train_for=1 steps', '--config.batch_size=4',
    )  # fmt: skip
    assert trained.code == 0, trained.err
    (start,) = json.loads((run / 'environment.json').read_text())
    assert start['initialization'] == f'initialized from timm/resnet18.tv_in1k@{COMMIT}, with a new head'
    missing = process(*command, 'predict', 'runs/nothing', folder)
    assert missing.code == 2 and 'runs/nothing' in missing.err
