"""What the manual says of the commands on trust and signatures: a part of `sonata.cli.manual`."""

TRUST: dict[str, tuple[str, tuple[str, ...]]] = {
    "sonata.cli.images.sign:command": (
        (
            "Makes simple signatures of images that lie in a registry, without touching them, and writes each as a "
            "file: below the lookaside (or lookaside-staging) that registries.d says, or below --directory. The name "
            "that is signed is the image's as it is given here. With --all every image of an index is signed instead "
            "of the index, which is what a pull asks for.\n\n"
            "Keys are those of GnuPG's own key ring; a passphrase is asked for by its agent. `push --sign-by` signs on "
            "the way out."
        ),
        (
            "sonata image sign --sign-by me@example.com docker://registry.example/app:1",
            "sonata image sign --sign-by me@example.com --all docker://registry.example/app:1",
            "sonata image sign --sign-by me@example.com --directory ./signatures docker://registry.example/app:1",
        ),
    ),
    "sonata.cli.images.trust_set:command": (
        (
            "Gives policy.json a rule for a registry or for what lies in it, in place of the one that it had; "
            "`default` names the rule for all that no other speaks of. The types are accept, reject, signedBy (a "
            "simple signature by a GPG key of each file that --pubkeysfile names) and sigstoreSigned (a sigstore "
            "signature by the key of each file). A policy that would make no sense is not written."
        ),
        (
            "sonata image trust set --type reject default",
            "sonata image trust set --type signedBy --pubkeysfile /etc/pki/team.gpg registry.example/team",
            "sonata image trust set --type sigstoreSigned --pubkeysfile /etc/pki/cosign.pub registry.example/app",
        ),
    ),
    "sonata.cli.images.trust_show:command": (
        (
            "Lists the rules of policy.json: for each place whether its images are accepted, rejected, or have to be "
            "signed, by whose keys, and where registries.d says that the signatures lie. With a registry only the "
            "rules that concern it are listed. --raw prints the policy as it is."
        ),
        (
            "sonata image trust show",
            "sonata image trust show registry.example/team",
            "sonata image trust show --json",
        ),
    ),
}
