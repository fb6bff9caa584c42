"""Small Qwen2 models with random weights and a tokenizer of single characters, in Hugging Face's layout.

    python tiny.py FOLDER [--hidden 64 --layers 2 --heads 4 --kv-heads 2 --intermediate 192]
                          [--vocab 512 --positions 1024 --seed 0]

Token 0 is `<pad>`, 1 `<eos>`, 2 `<unk>`, then the 95 printable ASCII characters in order, then characters
for private use from U+F0000 on, up to the vocabulary's size. Read the tokenizer back with
PreTrainedTokenizerFast: AutoTokenizer takes any folder of a Qwen2 model for one with Qwen2's own splitting
into bytes, and loses spaces.
"""

import argparse
import json

FIRST, LAST = 32, 126
PRIVATE = 0xF0000
SPECIAL = ["<pad>", "<eos>", "<unk>"]


def tokenizer(vocab_size):
    """A fast tokenizer whose tokens are characters; pads on the left, as generation needs."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    names = SPECIAL + [chr(code) for code in range(FIRST, LAST + 1)]
    if vocab_size < len(names):
        raise SystemExit(f"a vocabulary of {vocab_size} cannot hold {len(names)} tokens")
    names += [chr(PRIVATE + i) for i in range(vocab_size - len(names))]
    words = Tokenizer(models.WordLevel({name: i for i, name in enumerate(names)}, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")
    words.decoder = decoders.Fuse()
    return PreTrainedTokenizerFast(
        tokenizer_object=words, pad_token="<pad>", eos_token="<eos>", unk_token="<unk>", padding_side="left",
        clean_up_tokenization_spaces=False, model_input_names=["input_ids", "attention_mask"])


def model(hidden=64, layers=2, heads=4, kv_heads=2, intermediate=None, vocab=512, positions=1024, seed=0):
    """A Qwen2 decoder in f32 with tied embeddings, weights from transformers' own initialisation."""
    import torch
    from transformers import Qwen2Config, Qwen2ForCausalLM

    torch.manual_seed(seed)
    return Qwen2ForCausalLM(Qwen2Config(
        vocab_size=vocab, hidden_size=hidden, intermediate_size=intermediate or 3 * hidden,
        num_hidden_layers=layers, num_attention_heads=heads, num_key_value_heads=kv_heads,
        max_position_embeddings=positions, tie_word_embeddings=True, use_sliding_window=False,
        bos_token_id=None, eos_token_id=1, pad_token_id=0)).float()


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    sizes = {"hidden": 64, "layers": 2, "heads": 4, "kv-heads": 2, "intermediate": None, "vocab": 512,
             "positions": 1024, "seed": 0}
    for name, default in sizes.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    options = vars(parser.parse_args())
    folder = options.pop("folder")
    made = model(**options)
    made.save_pretrained(folder)
    tokenizer(options["vocab"]).save_pretrained(folder)
    print(json.dumps({"folder": folder, "parameters": sum(p.numel() for p in made.parameters())}))


if __name__ == "__main__":
    main()
