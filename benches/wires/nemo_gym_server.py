"""NeMo-Gym's own math_with_judge resources server, its library verifier alone: no model is asked."""

import sys
from unittest.mock import MagicMock

import uvicorn
from nemo_gym.server_utils import ServerClient
from resources_servers.math_with_judge.app import (
    LibraryJudgeMathResourcesServer,
    LibraryJudgeMathResourcesServerConfig,
)

port = int(sys.argv[1])
config = LibraryJudgeMathResourcesServerConfig(
    host="127.0.0.1",
    port=port,
    entrypoint="",
    name="math_with_judge",
    judge_model_server={"type": "responses_api_models", "name": "none"},
    judge_responses_create_params={"input": []},
    should_use_judge=False,
)
server = LibraryJudgeMathResourcesServer(config=config, server_client=MagicMock(spec=ServerClient))
uvicorn.run(server.setup_webserver(), host="127.0.0.1", port=port, log_level="warning")
