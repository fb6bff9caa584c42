"""Reads a model folder of ours with transformers, and an adapter of ours with peft; prints what they compute.

    python read_checkpoint.py FOLDER '[[5, 6, 7], [9]]' [--adapter FOLDER [--merge]] [--text "…"] [--new 8]

The token ids are JSON, given as it is or as the path of a file; rows may differ in length and are run one by
one, in f32. Prints one JSON object:

    architecture, parameters, dtype   what transformers made of the folder
    missing, unexpected               names of weights that it lacked or did not know; both must be empty
    logits                            for each row `[length][vocabulary]`, at every position
    logprobs                          for each row the log-probability of each token but the first
    adapter                           with --adapter: its type, rank, alpha, targets and number of weights
    base_logits                       with --adapter: the same rows with the adapter switched off
    text                              with --text: `ids` of the text and what they `decode` to, once as
                                      AutoTokenizer has it (`auto`) and once as tokenizer.json does (`file`)
    generated                         with --new: for each row that many tokens, decoded greedily
"""

import argparse
import json
import os
import pathlib
import warnings


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("ids", nargs="?", default="[]")
    parser.add_argument("--adapter")
    parser.add_argument("--merge", action="store_true", help="merge the adapter into the weights first")
    parser.add_argument("--text")
    parser.add_argument("--new", type=int, default=0)
    asked = parser.parse_args()
    given = asked.ids.lstrip().startswith("[")
    rows = json.loads(asked.ids if given else pathlib.Path(asked.ids).read_text(encoding="utf-8"))
    for folder in filter(None, [asked.folder, asked.adapter]):
        if not pathlib.Path(folder).is_dir():
            raise SystemExit(f"{folder}: no such folder")
    # Read when torch is loaded, hence before it.
    os.environ.update(OMP_NUM_THREADS="1", OMP_WAIT_POLICY="passive", CUDA_VISIBLE_DEVICES="",
                      HF_HUB_OFFLINE="1", TRANSFORMERS_VERBOSITY="error", TQDM_DISABLE="1")
    warnings.filterwarnings("ignore", category=FutureWarning)

    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerFast

    model, loading = AutoModelForCausalLM.from_pretrained(
        asked.folder, local_files_only=True, dtype=torch.float32, output_loading_info=True)
    stored = json.loads((pathlib.Path(asked.folder) / "config.json").read_text(encoding="utf-8"))
    told = {
        "architecture": type(model).__name__, "parameters": sum(p.numel() for p in model.parameters()),
        "dtype": stored.get("dtype", stored.get("torch_dtype")),
        "missing": sorted(loading["missing_keys"]), "unexpected": sorted(loading["unexpected_keys"])}
    if asked.text is not None:
        told["text"] = {}
        for name, kind in [("auto", AutoTokenizer), ("file", PreTrainedTokenizerFast)]:
            tokenizer = kind.from_pretrained(asked.folder, local_files_only=True)
            text = tokenizer(asked.text)["input_ids"]
            told["text"][name] = {
                "class": type(tokenizer).__name__, "ids": text, "decode": tokenizer.decode(text)}

    def logits(of):
        with torch.no_grad():
            return [of(input_ids=torch.tensor([row])).logits[0] for row in rows]

    model.eval()
    if asked.adapter:
        from peft import PeftModel

        model = PeftModel.from_pretrained(model, asked.adapter, local_files_only=True).eval()
        config = model.peft_config["default"]
        told["adapter"] = {
            "type": str(config.peft_type.value), "r": config.r, "alpha": config.lora_alpha,
            "targets": sorted(config.target_modules),
            "weights": sum(p.numel() for name, p in model.named_parameters() if "lora_" in name)}
        with model.disable_adapter():
            told["base_logits"] = [one.tolist() for one in logits(model)]
        if asked.merge:
            model = model.merge_and_unload()
    found = logits(model)
    told["logits"] = [one.tolist() for one in found]
    told["logprobs"] = [
        one[:-1].log_softmax(-1).gather(-1, torch.tensor(row[1:], dtype=torch.long)[:, None])[:, 0].tolist()
        for one, row in zip(found, rows)]
    if asked.new:
        with torch.no_grad():
            told["generated"] = [
                model.generate(
                    input_ids=torch.tensor([row]), attention_mask=torch.ones(1, len(row), dtype=torch.long),
                    do_sample=False, max_new_tokens=asked.new, min_new_tokens=asked.new, pad_token_id=0,
                )[0, len(row):].tolist()
                for row in rows]
    print(json.dumps(told))


if __name__ == "__main__":
    main()
